// NOVA_CLONES: compiles a loop once per instruction set and picks one when the plugin is loaded. Only for loops that
// treat each element alone: those give the same bits on every instruction set. Off under sanitizers, whose run time is
// not up yet when the choice is made.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define NOVA_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define NOVA_CLONES
#endif
