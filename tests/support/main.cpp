// SPDX-License-Identifier: MIT
// The main function of every test program. A filter that no test case passes is a failure: it names a file or a case
// that is not there.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

namespace {

unsigned cases_run = 0;

struct CaseCount : doctest::IReporter {
  explicit CaseCount(const doctest::ContextOptions&) {}
  void test_run_end(const doctest::TestRunStats& run) override { cases_run = run.numTestCasesPassingFilters; }
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
DOCTEST_REGISTER_LISTENER("case count", 1, CaseCount);

}  // namespace

int main(int count, char** arguments) {
  doctest::Context context(count, arguments);
  const int result = context.run();
  if (context.shouldExit() || cases_run > 0) return result;
  std::fputs("no test case has passed the filters\n", stderr);
  return 1;
}
