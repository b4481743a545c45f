// Profiles that were changed over REST, as JSON by name. Putting or removing one is also an event of kind "profile".
#pragma once

#include <map>
#include <pqxx/pqxx>
#include <string>

namespace emplace {

std::map<std::string, std::string> read_profiles(pqxx::work& transaction);
void write_profile(pqxx::work& transaction, const std::string& name, const std::string& json);
bool remove_profile(pqxx::work& transaction, const std::string& name);  // false: there is none

}  // namespace emplace
