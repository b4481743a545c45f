#include "cli/check/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/core/json/json.h"

namespace emplace::check {
namespace {

void put_list(JsonWriter& out, std::string_view name, const std::vector<std::string>& texts) {
  out.key(name).open_list();
  for (const std::string& text : texts) out.text(text);
  out.close_list();
}

// As one word of a shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// XML 1.0 has no words for control characters.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
  }
  return out;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : "; ") + text;
  return all;
}

std::string junit_case(const TestReport& test) {
  std::string body;
  if (test.outcome == Outcome::kFailed) {
    body = fmt::format("<failure message=\"{}\"/>", escaped(joined(test.faults)));
  } else if (test.outcome != Outcome::kPassed) {
    body = fmt::format("<skipped message=\"{}\"/>", escaped(joined(test.notes)));
  } else if (!test.notes.empty()) {
    body = fmt::format("<system-out>{}</system-out>", escaped(joined(test.notes)));
  }
  return fmt::format("  <testcase classname=\"emplace.plugin.check\" name=\"{}\" time=\"{:.3f}\">{}</testcase>\n",
                     escaped(test.name), test.seconds, body);
}

}  // namespace

std::size_t Report::count(Outcome outcome) const {
  return static_cast<std::size_t>(std::ranges::count(tests, outcome, &TestReport::outcome));
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "passed";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kSkipped:
      return "skipped";
    case Outcome::kNotRun:
      return "not_run";
    case Outcome::kNotExercised:
      return "not_exercised";
  }
  return "";
}

std::string text_line(const TestReport& test) {
  std::string word(to_string(test.outcome));
  if (test.outcome == Outcome::kFailed) word = "FAILED";
  if (test.outcome == Outcome::kNotRun) word = "not run";
  if (test.outcome == Outcome::kNotExercised) word = "not exercised";
  std::string text = fmt::format("{:<13} {:<15} {}\n", word, test.name, test.promise);
  for (const std::string& fault : test.faults) text += fmt::format("{:<29} ! {}\n", "", fault);
  for (const std::string& note : test.notes) text += fmt::format("{:<29} - {}\n", "", note);
  return text;
}

std::string text_summary(const Report& report) {
  std::string text =
      fmt::format("{} passed, {} failed, {} not exercised, {} skipped, {} not run; seed {}\n",
                  report.count(Outcome::kPassed), report.count(Outcome::kFailed), report.count(Outcome::kNotExercised),
                  report.count(Outcome::kSkipped), report.count(Outcome::kNotRun), report.seed);
  const std::string with =
      report.configuration == "{}" ? "" : fmt::format(" --config {}", quoted(report.configuration));
  for (const TestReport& test : report.tests) {
    if (test.outcome != Outcome::kFailed) continue;
    text += fmt::format("again: emplace plugin check {}{} --seed {} --budget-us {} --only {}\n", report.library, with,
                        report.seed, report.budget_us, test.name);
  }
  return text;
}

std::string to_json(const Report& report) {
  JsonWriter out;
  // As text: a double does not hold every seed.
  out.open().text("library", report.library).text("configuration", report.configuration);
  out.text("seed", std::to_string(report.seed)).key("tests").open_list();
  for (const TestReport& test : report.tests) {
    out.open().text("name", test.name).text("promise", test.promise).text("outcome", to_string(test.outcome));
    put_list(out, "faults", test.faults);
    put_list(out, "notes", test.notes);
    out.number("seconds", test.seconds).close();
  }
  return out.close_list().close().take() + '\n';
}

std::string to_junit(const Report& report) {
  double seconds = 0;
  std::string cases;
  for (const TestReport& test : report.tests) {
    seconds += test.seconds;
    cases += junit_case(test);
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3f}\">\n"
      "  <properties><property name=\"seed\" value=\"{}\"/></properties>\n{}</testsuite>\n",
      escaped(report.library), report.tests.size(), report.count(Outcome::kFailed),
      report.count(Outcome::kSkipped) + report.count(Outcome::kNotRun) + report.count(Outcome::kNotExercised), seconds,
      report.seed, cases);
}

}  // namespace emplace::check
