// SPDX-License-Identifier: MIT
#include "merge_certificate.hpp"

#include <fmt/format.h>

#include "temper/data/tokenizer.hpp"
#include "temper/model/config.hpp"
#include "temper/model/score_labels.hpp"
#include "text_model.hpp"

namespace temper_cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t text_tokens = 32;
constexpr std::string_view fixed_text =
    "Question: Why does the sky look blue during the day and red in the evening? Answer: Air scatters short waves more "
    "than long ones, and in the evening light has a longer way to go.";

std::vector<temper::TokenId> tokens_of_text(const fs::path& model) {
  std::vector<temper::TokenId> tokens;
  if (fs::exists(model / "tokenizer.json"))
    tokens = temper::Tokenizer::open(model).encode(fixed_text, temper::SpecialTokens::added).ids;
  const temper::Index vocabulary = temper::open_config(model).vocabulary;
  std::erase_if(tokens, [&](temper::TokenId token) { return token < 0 || token >= vocabulary; });
  for (temper::Index i = 0; tokens.size() < text_tokens; ++i)
    tokens.push_back(static_cast<temper::TokenId>(i * 7919 % vocabulary));
  tokens.resize(text_tokens);
  return tokens;
}

// Logarithms of the probabilities of every next token, row after row.
std::vector<float> log_probabilities(const fs::path& model, const fs::path& adapter,
                                     const std::vector<temper::TokenId>& tokens) {
  std::vector<float> all;
  open_text_model(model, adapter)->follow(tokens, 0, [&](std::span<const float> logits) {
    const double largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
    double sum = 0;
    for (const float x : logits) sum += std::exp(static_cast<double>(x) - largest);
    const double total = largest + std::log(sum);
    for (const float x : logits) all.push_back(static_cast<float>(static_cast<double>(x) - total));
  });
  return all;
}

double divergence(std::span<const float> p, std::span<const float> q) {
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i)
    sum += std::exp(static_cast<double>(p[i])) * (static_cast<double>(p[i]) - static_cast<double>(q[i]));
  return sum;
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

}  // namespace

LogitLoss logit_loss(const fs::path& model, const fs::path& adapter, const fs::path& merged) {
  const std::vector<temper::TokenId> tokens = tokens_of_text(model);
  const std::vector<float> exact = log_probabilities(model, adapter, tokens);
  const std::size_t width = exact.size() / tokens.size();
  const auto row_of = [&](const std::vector<float>& all, std::size_t t) {
    return std::span<const float>(all).subspan(t * width, width);
  };
  LogitLoss loss{.tokens = tokens.size()};
  const double share = 1.0 / static_cast<double>(tokens.size());
  const std::vector<float> base = log_probabilities(model, {}, tokens);
  for (std::size_t t = 0; t < tokens.size(); ++t)
    loss.base_divergence += share * divergence(row_of(exact, t), row_of(base, t));
  const std::vector<float> stored = log_probabilities(merged, {}, tokens);
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const auto wanted = row_of(exact, t), found = row_of(stored, t);
    loss.divergence += share * divergence(wanted, found);
    loss.same += std::max_element(wanted.begin(), wanted.end()) - wanted.begin() ==
                 std::max_element(found.begin(), found.end()) - found.begin();
  }
  return loss;
}

MergeCertificate certify(const fs::path& model, const fs::path& adapter, const fs::path& merged,
                         const std::string& quantization, std::vector<temper::MatrixLoss> losses) {
  MergeCertificate certificate{quantization, std::move(losses), {}};
  if (!temper::is_classifier(temper::open_config(merged).json)) certificate.logits = logit_loss(model, adapter, merged);
  temper::write_file_atomically(merged / "merge_certificate.json", to_json(certificate).dump(2) + "\n");
  return certificate;
}

bool MergeCertificate::loses_most() const {
  return temper::total_loss(matrices).kept() < 0.5 || (logits && logits->kept() < 0.5);
}

std::string loss_warning(const MergeCertificate& certificate, const fs::path& merged, std::string_view instead) {
  return fmt::format("{} keeps less than half of what the adapter changed, see {}; expected to lose less; {}",
                     certificate.quantization, temper::shown_path(merged / "merge_certificate.json"), instead);
}

temper::Json to_json(const MergeCertificate& certificate) {
  temper::Json json{{"quantization", certificate.quantization}, {"loses_most", certificate.loses_most()}};
  json["total"] = temper::to_json(temper::total_loss(certificate.matrices));
  json["total"].erase("name");
  if (const auto& logits = certificate.logits)
    json["logits"] = {{"tokens", logits->tokens},
                      {"base_divergence", logits->base_divergence},
                      {"divergence", logits->divergence},
                      {"kept", logits->kept()},
                      {"same", logits->same}};
  json["matrices"] = temper::Json::array();
  for (const temper::MatrixLoss& loss : certificate.matrices) json["matrices"].push_back(temper::to_json(loss));
  return json;
}

std::string certificate_text(const MergeCertificate& certificate) {
  std::string text = fmt::format("{:<48} {:>9} {:>9} {:>9}", "what " + certificate.quantization + " keeps of", "change",
                                 "error", "kept");
  const auto line = [&](const temper::MatrixLoss& loss, std::string_view name) {
    text += fmt::format("\n{:<48} {:>9} {:>9} {:>9}", temper::printable(name, 48), percent(loss.relative_change()),
                        percent(loss.relative_error()), loss.changed() ? percent(loss.kept()) : "-");
  };
  for (const temper::MatrixLoss& loss : certificate.matrices)
    line(loss, loss.name.substr(0, loss.name.size() - std::string_view(".weight").size()));
  line(temper::total_loss(certificate.matrices), "all that the adapter changed");
  if (const auto& logits = certificate.logits)
    text += fmt::format(
        "\nnext tokens of a text of {}: {} are the same; divergence from base and adapter {:.3g}, of the base alone "
        "{:.3g}: {} of the change is kept",
        logits->tokens, logits->same, logits->divergence, logits->base_divergence, percent(logits->kept()));
  return text;
}

}  // namespace temper_cli
