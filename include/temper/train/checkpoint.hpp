// SPDX-License-Identifier: MIT
// The state that a step leaves behind, as files: trained parameters and optimizer state, in the backend's own
// precision, so that a run that is resumed reaches the same bits. There is no random state to save (core/random.hpp).
// What surrounds it
// - hashes, progress, retention - belongs to the program.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "temper/adapter/peft.hpp"
#include "temper/train/step.hpp"

namespace temper {

// Writes parameters.safetensors and optimizer.safetensors into a folder that a NewFolder builds.
template <class B, class R, class M>
void save_state(Session<B, R>& session, M& model, const std::filesystem::path& folder) {
  std::vector<TensorToWrite> parameters, states;
  std::size_t next = 0;
  model.visit([&](auto& p) {
    parameters.push_back(tensor_of(p, p.name));
    session.state_of(p, next++).visit([&](std::string_view part, auto tensor) {
      std::string name = p.name + "." + std::string(part);
      if constexpr (std::is_same_v<decltype(tensor), View<B, std::uint8_t, 1>>)
        states.push_back(tensor_of_codes(std::move(name), {tensor.size()}, {tensor.data, tensor.bytes()}));
      else
        states.push_back(tensor_of_view<B>(std::move(name), {tensor.size()}, tensor));
    });
  });
  write_safetensors(folder / "parameters.safetensors", parameters);
  write_safetensors(folder / "optimizer.safetensors", states);
}

// The inverse. Files that do not fit this model and this optimizer exactly are refused.
template <class B, class R, class M>
void load_state(Session<B, R>& session, M& model, const std::filesystem::path& folder) {
  const std::filesystem::path parameters = folder / "parameters.safetensors", states = folder / "optimizer.safetensors";
  load_parameters(model, SafetensorsFile(parameters), parameters.string(),
                  [](const std::string& name) { return name; });
  const SafetensorsFile file(states);
  std::size_t next = 0, found = 0;
  std::vector<typename B::Activation> values;
  model.visit([&](auto& p) {
    session.state_of(p, next++).visit([&](std::string_view part, auto tensor) {
      const std::string name = p.name + "." + std::string(part);
      const TensorInfo* stored = file.find(name);
      require(stored && stored->count() == tensor.size(), Fault::data, "checkpoint.state",
              "{}: no tensor '{}' of {} elements; "
              "expected the state of this optimizer; the checkpoint belongs to another recipe",
              states.string(), name, tensor.size());
      if constexpr (std::is_same_v<decltype(tensor), View<B, std::uint8_t, 1>>) {
        require(stored->dtype == "U8", Fault::data, "checkpoint.state",
                "{}: tensor '{}' has type {}; expected U8; the checkpoint belongs to another recipe", states.string(),
                name, stored->dtype);
        B::upload(session.context().stream(), tensor.data, stored->bytes.data(), tensor.bytes());
      } else {
        values = widen<typename B::Activation>(*stored);
        B::upload(session.context().stream(), tensor.data, values.data(), tensor.bytes());
      }
      ++found;
    });
  });
  require(found == file.tensors().size(), Fault::data, "checkpoint.state",
          "{}: holds {} tensors but this optimizer has {}; "
          "the checkpoint belongs to another recipe",
          states.string(), file.tensors().size(), found);
}

}  // namespace temper
