# emplace_add_plugin(NAME [SOURCES] FILE... [MANIFEST FILE]): a plugin as emplace/plugin.h describes it. Builds
# libemplace_NAME.so with one exported symbol, and puts NAME.json (default: the one in the source folder) beside it, into
# EMPLACE_PLUGIN_OUTPUT_DIRECTORY (default: the folder's build directory). With EMPLACE_PLUGIN_INSTALL_DIRECTORY both are
# installed there. The target is emplace_plugin_NAME.
set(EMPLACE_PLUGIN_API_DIRECTORY ${CMAKE_CURRENT_LIST_DIR})

function(emplace_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MANIFEST" "SOURCES")
  if(NOT arg_MANIFEST)
    set(arg_MANIFEST ${CMAKE_CURRENT_SOURCE_DIR}/${name}.json)
  endif()
  get_filename_component(arg_MANIFEST ${arg_MANIFEST} ABSOLUTE)
  set(output ${EMPLACE_PLUGIN_OUTPUT_DIRECTORY})
  if(NOT output)
    set(output ${CMAKE_CURRENT_BINARY_DIR})
  endif()

  set(target emplace_plugin_${name})
  add_library(${target} MODULE ${arg_SOURCES} ${arg_UNPARSED_ARGUMENTS})
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME emplace_${name}
    PREFIX lib
    LIBRARY_OUTPUT_DIRECTORY ${output}
    CXX_VISIBILITY_PRESET hidden
    C_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map)
  target_compile_features(${target} PRIVATE cxx_std_20)
  # The same costs have the same bits on every instruction set.
  target_compile_options(${target} PRIVATE -ffp-contract=off)
  target_link_libraries(${target} PRIVATE EmplacePlugin::plugin)
  target_link_options(${target} PRIVATE -Wl,--version-script=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map -Wl,-z,defs)

  set(manifest ${output}/${name}.json)
  add_custom_command(OUTPUT ${manifest} COMMAND ${CMAKE_COMMAND} -E copy ${arg_MANIFEST} ${manifest}
    DEPENDS ${arg_MANIFEST})
  add_custom_target(${target}_manifest ALL DEPENDS ${manifest})
  add_dependencies(${target} ${target}_manifest)
  if(EMPLACE_PLUGIN_INSTALL_DIRECTORY)
    install(TARGETS ${target} LIBRARY DESTINATION ${EMPLACE_PLUGIN_INSTALL_DIRECTORY})
    install(FILES ${arg_MANIFEST} DESTINATION ${EMPLACE_PLUGIN_INSTALL_DIRECTORY} RENAME ${name}.json)
    if(TARGET product)
      add_dependencies(product ${target})
    endif()
  endif()
endfunction()
