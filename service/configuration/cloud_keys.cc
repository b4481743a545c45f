#include "service/configuration/cloud_keys.h"

#include <algorithm>
#include <iterator>

namespace emplace {
namespace {

using Use = CloudKey::Use;

constexpr std::string_view kRead[] = {
    "auth",   "auth_plugin", "auth_type", "region_name", "regions",     "interface", "endpoint_type", "verify",
    "cacert", "insecure",    "cert",      "key",         "api_timeout", "profile",   "cloud",         "name"};

constexpr std::string_view kAuthRead[] = {"auth_url",
                                          "username",
                                          "user_name",
                                          "user_id",
                                          "password",
                                          "user_domain_id",
                                          "user_domain_name",
                                          "project_id",
                                          "project_name",
                                          "tenant_id",
                                          "tenant_name",
                                          "project_domain_id",
                                          "project_domain_name",
                                          "domain_id",
                                          "domain_name",
                                          "default_domain_id",
                                          "default_domain_name",
                                          "system_scope",
                                          "trust_id",
                                          "application_credential_id",
                                          "application_credential_name",
                                          "application_credential_secret"};

// Of the kinds of login that Emplace does not have.
constexpr std::string_view kAuthUnread[] = {"token",
                                            "auth_token",
                                            "passcode",
                                            "auth_methods",
                                            "endpoint",
                                            "protocol",
                                            "identity_provider",
                                            "identity_provider_url",
                                            "service_provider_endpoint",
                                            "service_provider_entity_id",
                                            "client_id",
                                            "client_secret",
                                            "openid_scope",
                                            "access_token",
                                            "access_token_endpoint",
                                            "access_token_type",
                                            "discovery_endpoint",
                                            "redirect_uri",
                                            "code",
                                            "authorization_code",
                                            "mutual_auth",
                                            "consumer_key",
                                            "consumer_secret",
                                            "access_key",
                                            "access_secret"};

constexpr std::string_view kElsewhere[] = {"cache",
                                           "client",
                                           "config_drive",
                                           "default_network",
                                           "disable_vendor_agent",
                                           "external_network",
                                           "floating_ip_source",
                                           "force_ipv4",
                                           "image_api_use_tasks",
                                           "image_format",
                                           "image_upload_use_swift",
                                           "internal_network",
                                           "locations",
                                           "message",
                                           "metrics",
                                           "nat_destination",
                                           "nat_source",
                                           "networks",
                                           "prefer_ipv6",
                                           "private",
                                           "rate_limit",
                                           "requires_floating_ip",
                                           "secgroup_source",
                                           "shared",
                                           "status",
                                           "timing",
                                           "use_external_network",
                                           "use_internal_network",
                                           "verbose_level"};

// os-service-types, with "_" for "-".
constexpr std::string_view kServices[] = {"accelerator",
                                          "admin_logic",
                                          "alarm",
                                          "alarming",
                                          "application_catalog",
                                          "application_container",
                                          "application_deployment",
                                          "backup",
                                          "bare_metal",
                                          "baremetal",
                                          "baremetal_introspection",
                                          "block_storage",
                                          "block_store",
                                          "cluster",
                                          "clustering",
                                          "compute",
                                          "container",
                                          "container_infra",
                                          "container_infrastructure",
                                          "container_infrastructure_management",
                                          "data_processing",
                                          "data_protection_orchestration",
                                          "database",
                                          "dns",
                                          "ec2_api",
                                          "event",
                                          "events",
                                          "function_engine",
                                          "ha",
                                          "identity",
                                          "image",
                                          "infra_optim",
                                          "instance_ha",
                                          "key_manager",
                                          "load_balancer",
                                          "message",
                                          "messaging",
                                          "meter",
                                          "metering",
                                          "monitoring",
                                          "monitoring_events",
                                          "monitoring_log_api",
                                          "monitoring_logging",
                                          "multi_region_network_automation",
                                          "network",
                                          "nfv_orchestration",
                                          "object_store",
                                          "operator_policy",
                                          "orchestration",
                                          "placement",
                                          "policy",
                                          "rating",
                                          "rca",
                                          "registration",
                                          "reservation",
                                          "resource_cluster",
                                          "resource_optimization",
                                          "root_cause_analysis",
                                          "search",
                                          "share",
                                          "shared_file_system",
                                          "sharev2",
                                          "telemetry",
                                          "tricircle",
                                          "volume",
                                          "volumev2",
                                          "volumev3",
                                          "workflow",
                                          "workflowv2"};

constexpr std::string_view kServiceRead[] = {"interface",   "endpoint_type", "endpoint_override", "endpoint",
                                             "region_name", "service_type",  "service_name"};
constexpr std::string_view kRetries[] = {"connect_retries", "connect_retry_delay", "status_code_retries",
                                         "status_code_retry_delay", "retriable_status_codes"};

template <typename Words>
bool has(const Words& words, std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

// What stands behind the service's name; empty: the key names none.
std::string_view option_of(std::string_view key, std::string_view service) {
  const bool named = key.size() > service.size() + 1 && key.starts_with(service) && key[service.size()] == '_';
  return named ? key.substr(service.size() + 1) : std::string_view();
}

bool is_service_option(std::string_view option) {
  return has(kServiceRead, option) || has(kRetries, option) || option == "api_version" ||
         option == "default_microversion" || option == "timeout" || option == "api_timeout" ||
         option == "min_version" || option == "max_version";
}

CloudKey own_service_key(std::string_view service, std::string_view option) {
  if (option == "api_version" || option.ends_with("timeout")) return {Use::kRead};
  if (has(kRetries, option)) return {Use::kUnread, "Emplace asks again by itself"};
  if (service == "identity") return {Use::kUnread, "Keystone is asked at auth_url"};
  if (has(kServiceRead, option)) return {Use::kRead};
  return {Use::kUnread, "Emplace names the versions that it needs"};
}

}  // namespace

CloudKey cloud_key(std::string_view key) {
  if (has(kRead, key)) return {Use::kRead};
  if (has(kElsewhere, key) || key.starts_with("has_")) return {Use::kElsewhere};
  if (key == "vendor_hook") return {Use::kUnread, "Emplace runs no hooks"};
  if (has(kRetries, key)) return {Use::kUnread, "Emplace asks again by itself"};
  for (const std::string_view service : {"compute", "placement", "identity"}) {
    const std::string_view option = option_of(key, service);
    if (is_service_option(option)) return own_service_key(service, option);
  }
  for (const std::string_view service : kServices) {
    const std::string_view option = option_of(key, service);
    if (is_service_option(option)) return {option.ends_with("timeout") ? Use::kRead : Use::kElsewhere};
  }
  return auth_key(key);
}

CloudKey auth_key(std::string_view key) {
  if (has(kAuthRead, key)) return {Use::kRead};
  if (has(kAuthUnread, key)) return {Use::kUnread, "no kind of login that Emplace has needs it"};
  return {Use::kUnknown};
}

}  // namespace emplace
