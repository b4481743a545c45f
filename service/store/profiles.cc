#include "service/store/profiles.h"

#include "service/store/sql.h"

namespace emplace {
namespace {

constexpr sql::Statement kReadProfiles{"read_profiles", "SELECT name, json FROM profiles"};
constexpr sql::Statement kPut{"put_profile",
                              "INSERT INTO profiles (name, json) VALUES ($1, $2) "
                              "ON CONFLICT (name) DO UPDATE SET json = EXCLUDED.json"};

constexpr sql::Statement kRemoveProfile{"remove_profile", "DELETE FROM profiles WHERE name = $1"};

}  // namespace

std::map<std::string, std::string> read_profiles(pqxx::work& transaction) {
  std::map<std::string, std::string> profiles;
  for (const auto& row : sql::run(transaction, kReadProfiles)) profiles.emplace(sql::text(row[0]), sql::text(row[1]));
  return profiles;
}

void write_profile(pqxx::work& transaction, const std::string& name, const std::string& json) {
  sql::run(transaction, kPut, name, json);
}

bool remove_profile(pqxx::work& transaction, const std::string& name) {
  return sql::run(transaction, kRemoveProfile, name).affected_rows() > 0;
}

}  // namespace emplace
