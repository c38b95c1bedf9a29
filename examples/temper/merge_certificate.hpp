// SPDX-License-Identifier: MIT
// What a merge into 4 or 8 bits lost: each matrix against the exact merged one, and the logits of a fixed text against
// those of base and adapter.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "temper/adapter/merge_loss.hpp"

namespace temper_cli {

// Means over the tokens of a text. A divergence is KL(base with adapter || other), in nats.
struct LogitLoss {
  std::size_t tokens = 0, same = 0;  // same: the likeliest next token is that of base and adapter
  double divergence = 0;             // of the merged model
  double base_divergence = 0;        // of the base alone: what the adapter changed

  double kept() const { return base_divergence > 0 ? 1 - divergence / base_divergence : 1; }
};

struct MergeCertificate {
  std::string quantization;
  std::vector<temper::MatrixLoss> matrices;
  std::optional<LogitLoss> logits;  // not of a classifier

  bool loses_most() const;
};

// Reads a short text with each of the three models, one after the other.
LogitLoss logit_loss(const std::filesystem::path& model, const std::filesystem::path& adapter,
                     const std::filesystem::path& merged);

// Of what a merge wrote to the folder 'merged', in a file there.
MergeCertificate certify(const std::filesystem::path& model, const std::filesystem::path& adapter,
                         const std::filesystem::path& merged, const std::string& quantization,
                         std::vector<temper::MatrixLoss> losses);

// What is said of one that loses_most(), and of what else can be done.
std::string loss_warning(const MergeCertificate& certificate, const std::filesystem::path& merged,
                         std::string_view instead);

temper::Json to_json(const MergeCertificate& certificate);
std::string certificate_text(const MergeCertificate& certificate);

}  // namespace temper_cli
