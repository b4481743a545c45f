// One of several processes that take claims against the same database at once: this program itself, started again with
// "--take-claims CONNECTION SEED COUNT". It prints the id of every claim it was told it has, one a line.
#pragma once

namespace emplace::test {

int take_claims(int argc, char** argv);

}  // namespace emplace::test
