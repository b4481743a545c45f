// The parts that Nova's rules are made of, against what Python and Nova answer.
#include <gtest/gtest.h>

#include <cmath>

#include "emplace/view.hpp"
#include "plugins/nova/canonical.h"
#include "plugins/nova/extra_specs_ops.h"
#include "plugins/nova/host_states.h"
#include "plugins/nova/python_text.h"
#include "plugins/nova/value.h"
#include "plugins/nova/version_predicate.h"

namespace emplace::nova {
namespace {

TEST(ExtraSpecsOps, MatchAsNovaDoes) {
  const struct {
    const char* value;
    const char* requirement;
    bool matches;
  } cases[] = {
      // without an operator: equality, blanks included
      {"1", "1", true},
      {"1", "2", false},
      {"", "", true},
      {"3", "", false},
      {" ", " ", true},
      {"a b", "a b", true},
      {"", "x", false},
      {"123", ">", false},
      {"12311321", "<in>", false},
      // "=" is ">=", and a number
      {"1", "= 1", true},
      {"2", "= 1", true},
      {"1", "= 2", false},
      {"1.5", "= 1.50", true},
      {"124", "= 123 999", true},
      {"123", "=", false},
      {"123", "= 1_000", false},
      {"1e3", "= 1_000", true},
      {" 7 ", "= 7", true},
      {"inf", "= 1e999", true},
      {"nan", "= 1", false},
      // numbers
      {"123", "== 123", true},
      {"123.0", "== 123", true},
      {"124", "== 123 124", false},
      {"2", "!= 1", true},
      {"2", "!= 2.0", false},
      {"3", ">= 2", true},
      {"2.", ">= 2", true},
      {"1", ">= .5e1", false},
      {"1", "<= 2", true},
      {"-1", "<= -1", true},
      {"3", "<= 2", false},
      // texts
      {"1", "s== 1", true},
      {"1.0", "s== 1", false},
      {"1", "s!= 2", true},
      {"1", "s!= 1", false},
      {"10", "s< 2", true},
      {"2", "s< 10", false},
      {"2", "s<= 2", true},
      {"b", "s> a", true},
      {"b", "s>= b", true},
      {"Z", "s>= a", false},
      {"", "s== x", false},
      // containment
      {"12310321", "<in> 11", false},
      {"12311321", "<in> 11", true},
      {"12311321", "<in> 12311321 99", true},
      {"['aes', 'avx2']", "<in> avx2", true},
      {"aes mmx aux", "<all-in> aes mmx", true},
      {"aes mmx aux", "<all-in> aes txt", false},
      {"['aes', 'mmx']", "<all-in> aes mmx", true},
      {"aes", "<all-in>", false},
      // alternatives: every other word is a keyword, whatever it says
      {"12", "<or> 11 <or> 12", true},
      {"12", "<or> 11 <or> 12 <or>", true},
      {"13", "<or> 11 <or> 12", false},
      {"13", "<or> 11 <or> 12 <or>", false},
      {"12", "<or> 11 anything 12", true},
      {"12", "<or>\u00a011\u2003<or>\u300012", true},
      {"anything", "<or> 11 anything 12", false},
      // operators need their own word
      {"1", "==1", false},
      {"==1", "==1", true},
      {"1", " == 1 ", true},
      {"4", "<> 4", false},
  };
  for (const auto& [value, requirement, matches] : cases) {
    EXPECT_EQ(match(value, requirement), matches) << '"' << value << "\" \"" << requirement << '"';
  }
}

TEST(ExtraSpecsOps, RaisesWhereNovaDoes) {
  EXPECT_THROW(match("abc", "= 1"), plugin::Error);
  EXPECT_THROW(match("1", "== abc"), plugin::Error);
  EXPECT_THROW(match("1", ">= 0x10"), plugin::Error);
  EXPECT_THROW(match("1", "<= 1_"), plugin::Error);
  EXPECT_THROW(match("", "!= 1"), plugin::Error);
  EXPECT_THROW(match("x", "<or>"), plugin::Error);
}

TEST(PythonFloat, ReadsWhatPythonReads) {
  EXPECT_EQ(python_float("1"), 1);
  EXPECT_EQ(python_float(" +1.5e1\n"), 15);
  EXPECT_EQ(python_float("-Infinity"), -INFINITY);
  EXPECT_EQ(python_float("1e-999"), 0);
  EXPECT_EQ(python_float("1_2.3_4"), 12.34);
  EXPECT_TRUE(std::isnan(*python_float("NaN")));
  EXPECT_EQ(python_float("\u00a0\u0661\u0662.\uff15\u3000"), 12.5) << "digits and blanks of all scripts";
  EXPECT_EQ(python_int("-\U0001d7d9_\u0662"), -12);
  EXPECT_FALSE(python_int("\u00b2")) << "a power is no digit";
  EXPECT_FALSE(python_int("\u0661\u00a0\u0662"));
  for (const char* bad : {"", " ", ".", "1 2", "1__2", "_1", "1e", "0x1", "+-1", "nan(1)", "infi", "--1", "1,5"}) {
    EXPECT_FALSE(python_float(bad)) << bad;
  }
}

TEST(Value, ComparesNumbersExactly) {
  const auto order = [](const char* a, const char* b) {
    return Value::compare_numbers(parse_json(a).value(), parse_json(b).value());
  };
  EXPECT_TRUE(order("9007199254740993", "9007199254740992.0") > 0);
  EXPECT_TRUE(order("9007199254740992.0", "9007199254740993") < 0);
  EXPECT_TRUE(order("9007199254740993", "9007199254740992") > 0);
  EXPECT_TRUE(order("9223372036854775808", "9223372036854775808.0") == 0);
  EXPECT_TRUE(order("9223372036854775808", "9223372036854775807") > 0);
  EXPECT_TRUE(order("-9223372036854775809", "-9223372036854775808") < 0);
  EXPECT_TRUE(order("1e300", "2") > 0);
  EXPECT_TRUE(order("2.5", "2") > 0);
  EXPECT_TRUE(order("-2.5", "-2") < 0);
  EXPECT_TRUE(order("-0.0", "0") == 0);
  EXPECT_TRUE(order("true", "1") == 0);
}

TEST(Value, PrintsAsPythonDoes) {
  const struct {
    const char* json;
    const char* text;
  } cases[] = {
      {"null", "None"},
      {"true", "True"},
      {"-5", "-5"},
      {"16.0", "16.0"},
      {"0.1", "0.1"},
      {"1e16", "1e+16"},
      {"123456789012345.0", "123456789012345.0"},
      {"0.00001", "1e-05"},
      {"0.0001", "0.0001"},
      {"0e100", "0.0"},
      {"1e-999", "0.0"},
      {"184467440737095516159", "184467440737095516159"},
      {"-9223372036854775809", "-9223372036854775809"},
      {R"("text")", "text"},
      {R"(["a", 1, null, "it's", "say \"it's\""])", R"(['a', 1, None, "it's", 'say "it\'s"'])"},
      {R"({"a": {"b": [true]}, "c": "d"})", "{'a': {'b': [True]}, 'c': 'd'}"},
      {R"(["\n\u0001\\"])", R"(['\n\x01\\'])"},
  };
  for (const auto& [json, text] : cases) EXPECT_EQ(parse_json(json).value().str(), text) << json;
}

TEST(Value, RefusesWhatIsNoJson) {
  for (const std::string& bad : {std::string(""), std::string("{"), std::string("[1] x"), std::string(1000000, '['),
                                 std::string("\"\xff\""), std::string("1e999")}) {
    EXPECT_FALSE(parse_json(bad)) << bad.substr(0, 10);
  }
}

TEST(VersionPredicate, HoldsAsDistutilsSays) {
  EXPECT_TRUE(VersionPredicate(">=6.0,<6.2").satisfied_by("6.1.9"));
  EXPECT_FALSE(VersionPredicate(">=6.0, < 6.2").satisfied_by("6.2"));
  EXPECT_TRUE(VersionPredicate("==7.2").satisfied_by("7.2.0"));
  EXPECT_FALSE(VersionPredicate("!=7.2.2").satisfied_by("7.2.2"));
  EXPECT_TRUE(VersionPredicate("<6.0").satisfied_by("6.0a1"));
  EXPECT_TRUE(VersionPredicate(" > 6.0b1 ").satisfied_by("6.0b2"));
  for (const char* bad : {"", ">=", "6.0", "=>6.0", ">=6", ">=6.0.0.0", ">=6.0c1", ">=6.0,"}) {
    EXPECT_THROW(VersionPredicate{bad}, plugin::Error) << bad;
  }
  EXPECT_THROW(VersionPredicate(">=1.0").satisfied_by("7"), plugin::Error);
  EXPECT_EQ(version_text(7002002), "7.2.2");
  EXPECT_EQ(version_text(1000), "1.0");
}

TEST(Canonical, KnowsNovasAliases) {
  EXPECT_EQ(canonical_architecture("AMD64"), "x86_64");
  EXPECT_EQ(canonical_architecture("i586"), "i686");
  EXPECT_EQ(canonical_hypervisor("xapi"), "xen");
  EXPECT_EQ(canonical_vm_mode("hv"), "hvm");
  EXPECT_THROW(canonical_architecture("z80"), plugin::Error);
  EXPECT_THROW(canonical_hypervisor(""), plugin::Error);
}

TEST(ServiceTime, IsReadInUtc) {
  EXPECT_EQ(parse_time_us("1970-01-01T00:00:01.000002"), 1000002);
  EXPECT_EQ(parse_time_us("2026-11-21T08:37:10.438461"), 1795250230438461);
  EXPECT_EQ(parse_time_us("2026-11-21T08:37:10Z"), 1795250230000000);
  for (const char* bad : {"", "2026-02-30T00:00:00", "2026-11-21", "2026-11-21T08:37:10.4", "2026-11-21 08:37:10"}) {
    EXPECT_FALSE(parse_time_us(bad)) << bad;
  }
}

}  // namespace
}  // namespace emplace::nova
