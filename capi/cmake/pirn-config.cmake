# find_package(pirn) brings the targets pirn::pirn (the shared library) and pirn::static, as far as
# they are installed.

# Below the prefix, or absolute. Empty: where libraries usually are. `make install` fills them in.
set(_pirn_libdir "")
set(_pirn_includedir "include")

get_filename_component(_pirn_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
get_filename_component(_pirn_includedir "${_pirn_includedir}" ABSOLUTE BASE_DIR "${_pirn_prefix}")
if(NOT _pirn_libdir)
    set(_pirn_libdir "lib/${CMAKE_LIBRARY_ARCHITECTURE}" lib64 lib)
endif()

foreach(_pirn_directory IN LISTS _pirn_libdir)
    get_filename_component(_pirn_directory "${_pirn_directory}" ABSOLUTE BASE_DIR "${_pirn_prefix}")
    if(NOT TARGET pirn::pirn AND EXISTS "${_pirn_directory}/libpirn.so")
        add_library(pirn::pirn SHARED IMPORTED)
        set_target_properties(pirn::pirn PROPERTIES
            IMPORTED_LOCATION "${_pirn_directory}/libpirn.so"
            INTERFACE_INCLUDE_DIRECTORIES "${_pirn_includedir}")
    endif()
    if(NOT TARGET pirn::static AND EXISTS "${_pirn_directory}/libpirn.a")
        add_library(pirn::static STATIC IMPORTED)
        set_target_properties(pirn::static PROPERTIES
            IMPORTED_LOCATION "${_pirn_directory}/libpirn.a"
            INTERFACE_INCLUDE_DIRECTORIES "${_pirn_includedir}")
    endif()
endforeach()

if(NOT TARGET pirn::pirn AND NOT TARGET pirn::static)
    set(${CMAKE_FIND_PACKAGE_NAME}_FOUND FALSE)
    set(${CMAKE_FIND_PACKAGE_NAME}_NOT_FOUND_MESSAGE
        "neither libpirn.so nor libpirn.a in ${_pirn_libdir}")
endif()
unset(_pirn_prefix)
unset(_pirn_libdir)
unset(_pirn_includedir)
unset(_pirn_directory)
