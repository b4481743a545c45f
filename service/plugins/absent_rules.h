// Stand-ins for rules that profiles name and nobody has, because the plugin that would have them was refused. A
// decision that needs one goes on as with any rule that can't answer, and says why.
#pragma once

#include "service/core/decide/rules.h"

namespace emplace {

// `catalogue`, with a stand-in for each rule of the profiles that it lacks. `why`: it lacks some; empty: it lacks none.
Catalogue with_stand_ins(Catalogue catalogue, std::span<const Profile> profiles, const std::string& why);

}  // namespace emplace
