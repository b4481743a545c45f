// What the holder of a project's token sees and may do: only what is in that project, as if there were nothing else.
//
//   vms, claims, decisions   those of the project; any other is not found
//   operations               by id, of such vms
//   groups                   those named "PROJECT/...", also the groups of spread rules; so projects can't meet in one
//   events                   of those vms and groups, and of profiles
//   placements               are in the project, whatever the request says; without what would tell of others or reach
//                            past the project: what_if, request_spec, template, parameters
//   everything else          is refused: hosts, aggregates, plugins, inventory, figures, and what asks as Nova does
//
// Of the hosts such a caller learns the names and costs of those that are fit for its own vms, and of the others which
// rule refused them, but not what that rule found there.
//
// Threads: pure functions. Errors: kForbidden for what no project's token may ask, kInvalid for what its project lacks.
#pragma once

#include <string>
#include <string_view>

#include "service/core/base/result.h"
#include "service/core/doors/store.h"
#include "service/core/picture/picture.h"
#include "service/core/request/request.h"
#include "service/rest/auth.h"

namespace emplace::http {

// Whether a project's token may call the route at all, its role aside.
bool is_open_to_projects(std::string_view method, std::string_view pattern);

// Whether the caller sees what is in `project`, and the group of that name.
bool sees(const Identity& identity, std::string_view project);
bool sees_group(const Identity& identity, std::string_view group);

// The body of a placement or claim with its vm in the caller's project, where it names none.
std::string in_project(const Identity& identity, std::string_view body);

// Whether the caller may place this vm, and ask this.
Result<void> check_vm(const Identity& identity, const VmRequest& vm, const Picture& picture);
Result<void> check_placement(const Identity& identity, const PlacementRequest& request, const Picture& picture);

// Whether the event tells of something that is in the project.
bool concerns(const Event& event, const std::string& project);

}  // namespace emplace::http
