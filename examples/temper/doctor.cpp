// SPDX-License-Identifier: MIT
// 'temper doctor': what this machine has, and whether the program computes and writes as it should.
#include <sys/statvfs.h>
#include <unistd.h>

#include <thread>

#include "commands.hpp"
#include "exit_code.hpp"
#include "format.hpp"
#include "metrics.hpp"
#include "temper/core/types.hpp"
#include "temper/core/version.hpp"
#include "temper/io/folder.hpp"
#include "temper/io/hash.hpp"
#include "terminal.hpp"

namespace temper_cli {
namespace {

using temper::Json;

Json check_result(std::string_view name, bool ok, const std::string& message) {
  return {{"name", name}, {"ok", ok}, {"message", message}};
}

Json check_memory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  const std::size_t bytes =
      pages > 0 && page > 0 ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(page) : 0;
  return check_result("memory", bytes >= (std::size_t{1} << 30), bytes_text(bytes));
}

Json check_hash() {
  const bool ok = temper::sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  return check_result("sha256", ok, ok ? "agrees with the standard" : "libcrypto computes another value");
}

// Rounding to nearest even, subnormals kept: what equal bits on two machines need.
Json check_arithmetic() {
  const volatile float one = 1, tiny = 1e-40f, half_step = 5.9604645e-8f;
  const bool ok = one + half_step == one && tiny * one != 0;
  return check_result("arithmetic", ok, ok ? "rounds to nearest, keeps subnormals" : "an unusual rounding mode is set");
}

Json check_disk() {
  struct statvfs about {};
  const bool known = ::statvfs(".", &about) == 0;
  const std::size_t free = known ? static_cast<std::size_t>(about.f_bavail) * about.f_frsize : 0;
  const bool writable = ::access(".", W_OK) == 0;
  return check_result("disk", known && writable,
                      writable ? bytes_text(free) + " free here" : "the working directory cannot be written");
}

}  // namespace

int doctor(const PlainOptions& options) {
  const Json checks = {check_memory(), check_disk(), check_hash(), check_arithmetic()};
  const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  bool all = true;
  for (const Json& check : checks) all = all && check["ok"].get<bool>();
  if (options.json) {
    print_line(temper::to_text({{"version", temper::version},
                                {"device", "cpu"},
                                {"threads", threads},
                                {"gpus", Json::array()},
                                {"checks", checks}}));
    return all ? done : internal_error;
  }
  const Screen screen = Screen::of(STDOUT_FILENO);
  print_line(fmt::format("temper {}, device cpu, {} threads", temper::version, threads));
  for (const Json& check : checks)
    print_line(fmt::format("{}  {:<11} {}",
                           check["ok"].get<bool>() ? coloured(screen, "32", "ok  ") : coloured(screen, "31", "FAIL"),
                           check["name"].get<std::string>(), check["message"].get<std::string>()));
  return all ? done : internal_error;
}

}  // namespace temper_cli
