// SPDX-License-Identifier: MIT
// What nvcc's tools say of a compiled kernel: registers and spills as 'ptxas -v' prints them, and the instructions of
// its main loop in the listing of 'cuobjdump -sass'. The main loop is the innermost with the most tensor-core
// instructions, or, without them, fused multiplications. Not counted in it: what never runs (a predicate that is always
// false), and pieces that load two bytes at a time, the way of rows that are not aligned. A loop inside it counts once,
// and so does each of two ways.
#pragma once
#include <cxxabi.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <vector>

namespace temper::bench {

// A mangled type or entry function as a reader would write the kernel's type.
inline std::string kernel_name(const std::string& mangled) {
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, nullptr),
                                                    &std::free);
  std::string name = text == nullptr ? mangled : text.get();
  if (const auto entry = name.find("entry<"); entry != std::string::npos) {  // void ...entry<TYPE>(TYPE)
    name = name.substr(entry + 6, name.find(">(") - entry - 6);
  } else if (name.starts_with("void ")) {
    name = name.substr(5, name.find('(') - 5);
  }
  for (const char* left_out :
       {"temper::|kernel::|device::|on_gpu::|on_fibers::", ", \\((Nf4Rows|Activation)\\)0", " +(?=>)"})
    name = std::regex_replace(name, std::regex(left_out), "");
  const std::pair<const char*, const char*> words[] = {
      {"\\(Nf4Rows\\)1", "any rows"}, {"\\(Activation\\)1", "silu"}, {"\\(Activation\\)2", "gelu"}};
  for (const auto& [number, word] : words) name = std::regex_replace(name, std::regex(number), word);
  return name.substr(0, name.find_last_not_of(' ') + 1);
}

struct MainLoop {
  int instructions = 0, tensor = 0, fused = 0, async_copies = 0, matrix_loads = 0;
  int wavefronts = 0;  // of shared memory, 128 bytes each, for a warp
  int loops_inside = 0;
};

struct CompiledKernel {
  int registers = 0, stack = 0, spilled = 0;
  MainLoop loop;
};

struct Instruction {
  std::uint64_t address;
  std::string text;
};

inline bool has(const std::string& text, const char* word) { return text.find(word) != std::string::npos; }

// Wavefronts of shared memory that a warp's access takes at least.
inline int wavefronts_of(const std::string& text) {
  if (has(text, "LDSM")) return has(text, ".4") ? 4 : has(text, ".2") ? 2 : 1;
  if (has(text, "LDS.") || has(text, "LDS ") || has(text, "STS") || has(text, "LDGSTS"))
    return has(text, ".128") ? 4 : has(text, ".64") ? 2 : 1;
  return 0;
}

// All that lies between the loop's ends.
inline MainLoop counted(const std::vector<Instruction>& code, const std::vector<std::uint64_t>& begins,
                        std::uint64_t first, std::uint64_t last) {
  MainLoop loop, piece;
  bool rare = false;
  const auto close = [&] {
    if (!rare) {
      loop.instructions += piece.instructions;
      loop.tensor += piece.tensor;
      loop.fused += piece.fused;
      loop.async_copies += piece.async_copies;
      loop.matrix_loads += piece.matrix_loads;
      loop.wavefronts += piece.wavefronts;
    }
    piece = {};
    rare = false;
  };
  for (const Instruction& one : code) {
    if (one.address < first || one.address > last) continue;
    if (std::binary_search(begins.begin(), begins.end(), one.address)) close();
    if (has(one.text, "@!PT ")) continue;
    ++piece.instructions;
    piece.tensor += has(one.text, "HMMA");
    piece.fused += has(one.text, "FFMA");
    piece.async_copies += has(one.text, "LDGSTS");
    piece.matrix_loads += has(one.text, "LDSM");
    piece.wavefronts += wavefronts_of(one.text);
    rare = rare || has(one.text, "LDG.E.U16");
  }
  close();
  return loop;
}

inline MainLoop main_loop_of(const std::vector<Instruction>& code) {
  std::map<std::uint64_t, std::uint64_t> ends;  // of loops, by where they begin
  std::vector<std::uint64_t> begins;            // of pieces that run from their first to their last instruction
  for (const Instruction& one : code) {
    const auto branch = one.text.find("BRA"), to = one.text.find("0x", branch);
    if (branch == std::string::npos || to == std::string::npos) continue;
    const std::uint64_t target = std::stoull(one.text.substr(to), nullptr, 16);
    begins.push_back(target);
    begins.push_back(one.address + 16);
    if (target < one.address) ends[target] = std::max(ends[target], one.address);
  }
  std::sort(begins.begin(), begins.end());
  std::map<std::uint64_t, MainLoop> loops;
  for (const auto& [first, last] : ends) loops[first] = counted(code, begins, first, last);
  const auto work = [](const MainLoop& loop) { return loop.tensor > 0 ? 100000 * loop.tensor : loop.fused; };
  MainLoop best;
  for (auto& [first, loop] : loops) {
    bool innermost = true;
    for (const auto& [inner, of_inner] : loops) {
      if (inner <= first || ends[inner] > ends[first]) continue;
      ++loop.loops_inside;
      innermost = innermost && work(of_inner) < work(loop);
    }
    if (innermost && std::pair(work(loop), loop.instructions) > std::pair(work(best), best.instructions)) best = loop;
  }
  return best;
}

// Calls take(name, main loop) for each function of a listing.
template <class Take>
void over_listing(const std::string& path, const Take& take) {
  std::ifstream listing(path);
  std::vector<Instruction> code;
  std::string line, name;
  const auto close = [&] {
    if (!name.empty()) take(name, main_loop_of(code));
    code.clear();
  };
  while (std::getline(listing, line)) {
    if (const auto at = line.find("Function : "); at != std::string::npos) {
      close();
      name = kernel_name(line.substr(at + 11));
    } else if (const auto open = line.find("/*"), end = line.find("*/"), stop = line.find(';');
               open != std::string::npos && open == line.find_first_not_of(" \t") && end != std::string::npos &&
               stop != std::string::npos && stop > end) {
      code.push_back({std::stoull(line.substr(open + 2), nullptr, 16), line.substr(end + 2, stop - end - 2)});
    }
  }
  close();
}

// By name: what ptxas printed, and, where there is a listing, the main loops.
inline std::map<std::string, CompiledKernel> compiled_kernels(const std::string& log_path,
                                                              const std::string& listing_path) {
  std::map<std::string, CompiledKernel> kernels;
  std::string line, name;
  std::ifstream log(log_path);
  static const std::regex entry("Compiling entry function '([^']+)'"), used("Used ([0-9]+) registers"),
      spills("([0-9]+) bytes stack frame, ([0-9]+) bytes spill stores, ([0-9]+) bytes spill loads");
  CompiledKernel now;
  while (std::getline(log, line)) {
    std::smatch match;
    if (std::regex_search(line, match, entry)) name = kernel_name(match[1]);
    if (std::regex_search(line, match, spills)) {
      now.stack = std::stoi(match[1]);
      now.spilled = std::stoi(match[2]) + std::stoi(match[3]);
    }
    if (std::regex_search(line, match, used)) {
      now.registers = std::stoi(match[1]);
      kernels[name] = now;
    }
  }
  over_listing(listing_path, [&](const std::string& of, const MainLoop& loop) {
    if (const auto found = kernels.find(of); found != kernels.end()) found->second.loop = loop;
  });
  return kernels;
}

}  // namespace temper::bench
