# emplace_add_plugin(NAME SOURCES... [MANIFEST FILE]): a plugin as api/plugin/emplace/plugin.h describes it. Builds
# libemplace_NAME.so with one exported symbol, and puts NAME.json (default: the one in the source folder) beside it.
set(EMPLACE_PLUGIN_API_DIRECTORY ${CMAKE_CURRENT_LIST_DIR})

function(emplace_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MANIFEST" "")
  if(NOT arg_MANIFEST)
    set(arg_MANIFEST ${CMAKE_CURRENT_SOURCE_DIR}/${name}.json)
  endif()
  set(target emplace_plugin_${name})
  add_library(${target} MODULE ${arg_UNPARSED_ARGUMENTS})
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME emplace_${name}
    LIBRARY_OUTPUT_DIRECTORY ${EMPLACE_PLUGIN_OUTPUT_DIRECTORY}
    CXX_VISIBILITY_PRESET hidden
    C_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${EMPLACE_PLUGIN_API_DIRECTORY}/plugin.map)
  target_include_directories(${target} PRIVATE ${EMPLACE_PLUGIN_API_DIRECTORY})
  target_link_options(${target} PRIVATE -Wl,--version-script=${EMPLACE_PLUGIN_API_DIRECTORY}/plugin.map)
  get_filename_component(manifest ${arg_MANIFEST} NAME)
  add_custom_command(OUTPUT ${EMPLACE_PLUGIN_OUTPUT_DIRECTORY}/${manifest}
    COMMAND ${CMAKE_COMMAND} -E copy ${arg_MANIFEST} ${EMPLACE_PLUGIN_OUTPUT_DIRECTORY}/${manifest}
    DEPENDS ${arg_MANIFEST})
  add_custom_target(${target}_manifest ALL DEPENDS ${EMPLACE_PLUGIN_OUTPUT_DIRECTORY}/${manifest})
  add_dependencies(${target} ${target}_manifest)
  if(EMPLACE_PLUGIN_INSTALL_DIRECTORY)
    install(TARGETS ${target} LIBRARY DESTINATION ${EMPLACE_PLUGIN_INSTALL_DIRECTORY})
    install(FILES ${arg_MANIFEST} DESTINATION ${EMPLACE_PLUGIN_INSTALL_DIRECTORY})
  endif()
endfunction()
