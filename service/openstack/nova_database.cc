#include "service/openstack/nova_database.h"

#include <fmt/format.h>
#include <mysql.h>

#include <QtCore/QUrl>
#include <QtCore/QUrlQuery>
#include <algorithm>
#include <array>
#include <functional>
#include <mutex>
#include <set>
#include <utility>

#include "service/core/base/shown_text.h"
#include "service/core/json/json.h"
#include "service/openstack/compute_nodes.h"

namespace emplace::openstack {
namespace {

constexpr std::array<std::string_view, 8> kNotOurs = {"charset",      "plugin",        "binary_prefix",
                                                      "read_timeout", "write_timeout", "connect_timeout",
                                                      "autocommit",   "client_flag"};

constexpr unsigned kLoginS = 5;  // can't be cancelled: stop() may have to wait for it

struct Address {
  std::string host, user, password, database, socket = {}, ca = {}, cert = {}, key = {};
  unsigned port = 3306;

  std::string name() const { return fmt::format("nova_database {} on {}", database, socket.empty() ? host : socket); }
};

tl::unexpected<Error> wrong(std::size_t index, std::string_view wanted, std::string_view found) {
  return fail(ErrorCode::kInvalid,
              fmt::format("[openstack] nova_database[{}]: wanted {}, found {}", index, wanted, found));
}

Result<void> read_option(std::size_t index, const std::string& name, const std::string& value, Address& address) {
  const std::array<std::pair<std::string_view, std::string*>, 4> known = {{{"unix_socket", &address.socket},
                                                                           {"ssl_ca", &address.ca},
                                                                           {"ssl_cert", &address.cert},
                                                                           {"ssl_key", &address.key}}};
  const auto found = std::ranges::find(known, name, &std::pair<std::string_view, std::string*>::first);
  if (found != known.end()) return *found->second = value, Result<void>();
  if (std::ranges::find(kNotOurs, name) != kNotOurs.end()) return {};
  return wrong(index, "the options unix_socket, ssl_ca, ssl_cert or ssl_key", json_text(name));
}

Result<Address> address_of(std::size_t index, const std::string& text) {
  constexpr std::string_view kForm = "mysql+pymysql://USER:PASSWORD@HOST/DATABASE";
  const QUrl url(QString::fromStdString(text), QUrl::StrictMode);
  const std::string scheme = url.scheme().toStdString();
  const std::string dialect = scheme.substr(0, scheme.find('+'));
  if (!url.isValid() || scheme.empty()) return wrong(index, kForm, "no URL");
  if (dialect != "mysql" && dialect != "mariadb") return wrong(index, kForm, scheme + "://");
  Address address{.host = url.host().toStdString(),
                  .user = url.userName(QUrl::FullyDecoded).toStdString(),
                  .password = url.password(QUrl::FullyDecoded).toStdString(),
                  .database = url.path(QUrl::FullyDecoded).mid(1).toStdString()};
  address.port = static_cast<unsigned>(url.port(3306));
  if (address.host.empty()) return wrong(index, kForm, "no host");
  if (address.user.empty()) return wrong(index, kForm, "no user");
  if (address.database.empty()) return wrong(index, kForm, "no database");
  const QUrlQuery query(url);
  for (const auto& [name, value] : query.queryItems(QUrl::FullyDecoded)) {
    if (auto read = read_option(index, name.toStdString(), value.toStdString(), address); !read) {
      return tl::unexpected(read.error());
    }
  }
  return address;
}

const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

using Row = std::vector<std::optional<std::string_view>>;

struct Close {
  void operator()(MYSQL* connection) const { mysql_close(connection); }
};
struct Free {
  void operator()(MYSQL_RES* rows) const { mysql_free_result(rows); }
};

}  // namespace

struct NovaDatabase::Inside {
  explicit Inside(std::chrono::seconds patience) : timeout(patience) {}

  Result<void> read(const Address& address, std::string& known_since, ComputeNodes& to);
  Result<void> query(const Address& address, const std::string& statement, const std::function<void(const Row&)>& take);
  Result<void> connect(const Address& address);
  tl::unexpected<Error> unavailable(const Address& address) {
    const bool stopped = is_stopping();
    return fail(
        ErrorCode::kUnavailable,
        address.name() + ": " + (stopped ? "the service is stopping" : shown_text(mysql_error(connection.get()))));
  }
  bool is_stopping() {
    const std::lock_guard lock(mutex);
    return stopping;
  }
  void disconnect() {
    const std::lock_guard lock(mutex);
    connected = false;
    connection.reset();
  }

  const std::chrono::seconds timeout;
  std::vector<Address> addresses;
  std::vector<std::string> since;  // of each database: what changed before it is known; empty: nothing is

  std::unique_ptr<MYSQL, Close> connection;
  std::mutex mutex;        // guards what follows, and whose `connection` is
  bool connected = false;  // it may be cancelled
  bool stopping = false;
};

NovaDatabase::NovaDatabase(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
NovaDatabase::~NovaDatabase() = default;

Result<std::unique_ptr<NovaDatabase>> NovaDatabase::create(const NovaDatabaseOptions& options) {
  if (options.urls.empty()) return nullptr;
  auto inside = std::make_unique<Inside>(options.timeout);
  for (std::size_t i = 0; i < options.urls.size(); ++i) {
    auto address = address_of(i, options.urls[i]);
    if (!address) return tl::unexpected(address.error());
    inside->addresses.push_back(*std::move(address));
  }
  inside->since.resize(inside->addresses.size());
  return std::unique_ptr<NovaDatabase>(new NovaDatabase(std::move(inside)));
}

void NovaDatabase::stop() {
  const std::lock_guard lock(inside_->mutex);
  inside_->stopping = true;
  if (inside_->connected) mariadb_cancel(inside_->connection.get());
}

Result<void> NovaDatabase::Inside::connect(const Address& address) {
  connection.reset(mysql_init(nullptr));
  MYSQL* const made = connection.get();
  const unsigned answer = static_cast<unsigned>(timeout.count());
  const unsigned login = std::min(answer, kLoginS);
  mysql_options(made, MYSQL_OPT_CONNECT_TIMEOUT, &login);
  mysql_options(made, MYSQL_OPT_READ_TIMEOUT, &answer);
  mysql_options(made, MYSQL_OPT_WRITE_TIMEOUT, &answer);
  mysql_options(made, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (!(address.ca + address.cert + address.key).empty()) {
    mysql_ssl_set(made, or_null(address.key), or_null(address.cert), or_null(address.ca), nullptr, nullptr);
    const my_bool verify = !address.ca.empty();
    mysql_options(made, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
  }
  if (!mysql_real_connect(made, address.host.c_str(), address.user.c_str(), address.password.c_str(),
                          address.database.c_str(), address.port, or_null(address.socket), 0)) {
    return unavailable(address);
  }
  const std::lock_guard lock(mutex);
  connected = !stopping;
  return {};
}

Result<void> NovaDatabase::Inside::query(const Address& address, const std::string& statement,
                                         const std::function<void(const Row&)>& take) {
  if (is_stopping() || mysql_real_query(connection.get(), statement.data(), statement.size()) != 0) {
    return unavailable(address);
  }
  const std::unique_ptr<MYSQL_RES, Free> rows(mysql_use_result(connection.get()));
  if (!rows) return unavailable(address);
  Row row(mysql_num_fields(rows.get()));
  while (MYSQL_ROW cells = mysql_fetch_row(rows.get())) {
    const unsigned long* const lengths = mysql_fetch_lengths(rows.get());
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = cells[i] ? std::optional(std::string_view(cells[i], lengths[i])) : std::nullopt;
    }
    take(row);
  }
  return mysql_errno(connection.get()) == 0 ? Result<void>() : unavailable(address);
}

// One database: of a cell, of the API, or both in one.
Result<void> NovaDatabase::Inside::read(const Address& address, std::string& known_since, ComputeNodes& to) {
  if (auto made = connect(address); !made) return made;
  std::set<std::string, std::less<>> tables;
  auto read = query(address,
                    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
                    " AND table_name IN ('compute_nodes', 'host_mappings')",
                    [&](const Row& row) { tables.emplace(row[0].value_or("")); });
  if (!read) return read;
  if (tables.empty()) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("{}: user {} sees neither compute_nodes nor host_mappings", address.name(), address.user));
  }
  if (tables.contains("host_mappings")) {
    read = query(address, "SELECT h.host, c.uuid FROM host_mappings h JOIN cell_mappings c ON c.id = h.cell_id",
                 [&](const Row& row) {
                   if (row[0] && row[1]) to.cells.insert_or_assign(std::string(*row[0]), std::string(*row[1]));
                 });
  }
  if (!read || !tables.contains("compute_nodes")) return read;
  std::string next;
  read = query(address, "SELECT MAX(updated_at) - INTERVAL 1 MINUTE FROM compute_nodes",
               [&](const Row& row) { next = row[0].value_or(""); });
  if (!read) return read;
  // A row without free_disk_gb is of a node that has not reported yet: Nova's scheduler does not read it either.
  const std::string changed = known_since.empty() ? "" : fmt::format(" AND updated_at >= '{}'", known_since);
  read = query(address,
               "SELECT uuid, numa_topology, pci_stats, supported_instances, metrics, stats FROM compute_nodes"
               " WHERE deleted = 0 AND free_disk_gb IS NOT NULL" +
                   changed,
               [&](const Row& row) {
                 const auto id = parse_uuid(row[0].value_or(""));
                 if (id) to.rows.insert_or_assign(*id, compute_node_of(*id, {row[1], row[2], row[3], row[4], row[5]}));
               });
  if (read) known_since = next;
  return read;
}

Result<ComputeNodes> NovaDatabase::read(bool all) {
  ComputeNodes nodes;
  std::vector<std::string> since = all ? std::vector<std::string>(inside_->since.size()) : inside_->since;
  for (std::size_t i = 0; i < inside_->addresses.size(); ++i) {
    const auto read = inside_->read(inside_->addresses[i], since[i], nodes);
    inside_->disconnect();
    if (!read) return tl::unexpected(read.error());
  }
  inside_->since = std::move(since);
  return nodes;
}

}  // namespace emplace::openstack
