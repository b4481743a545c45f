// emplace-plugin-probe MANIFEST LIBRARY: loads the plugin with the complete configuration on standard input, and
// destroys it. Exit code 0 after the line kProbeDone: it can be done. 2: it is refused, one line says why. Anything
// else is the plugin's doing.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <iostream>
#include <iterator>

#include "service/plugins/library.h"
#include "service/plugins/probe.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cout << "usage: emplace-plugin-probe MANIFEST LIBRARY < CONFIGURATION\n";
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const std::string configuration{std::istreambuf_iterator<char>(std::cin), {}};
  auto manifest = emplace::read_manifest(argv[1]);
  if (manifest) manifest->library = argv[2];
  auto loaded = manifest ? emplace::PluginInstance::load(*manifest, configuration) : tl::unexpected(manifest.error());
  if (!loaded) {
    std::cout << loaded.error().message << '\n';
    return 2;
  }
  loaded->reset();
  std::cout << emplace::kProbeDone << '\n';
  return 0;
}
