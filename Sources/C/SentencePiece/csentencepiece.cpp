#include "csentencepiece.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct csentencepiece_model {
  sentencepiece::SentencePieceProcessor processor;
};

namespace {
char *copy(const std::string &text) noexcept {
  char *memory = static_cast<char *>(std::malloc(text.size() + 1));
  if (memory != nullptr) std::memcpy(memory, text.c_str(), text.size() + 1);
  return memory;
}
}  // namespace

csentencepiece_model *csentencepiece_load(const void *bytes, intptr_t count, char **message) {
  *message = nullptr;
  try {
    auto model = std::make_unique<csentencepiece_model>();
    const auto status =
        model->processor.LoadFromSerializedProto({static_cast<const char *>(bytes), static_cast<size_t>(count)});
    if (status.ok()) return model.release();
    *message = copy(status.ToString());
  } catch (const std::exception &error) {
    *message = copy(error.what());
  } catch (...) {
  }
  return nullptr;
}

void csentencepiece_release(csentencepiece_model *model) { delete model; }

void csentencepiece_free(void *memory) { std::free(memory); }

int32_t csentencepiece_count(const csentencepiece_model *model) { return model->processor.GetPieceSize(); }

const char *csentencepiece_piece(const csentencepiece_model *model, int32_t id) {
  return model->processor.IdToPiece(id).c_str();
}

int32_t csentencepiece_id(const csentencepiece_model *model, const char *piece) {
  return model->processor.PieceToId(piece);
}

intptr_t csentencepiece_encode(const csentencepiece_model *model, const char *text, intptr_t count, int32_t **ids) {
  *ids = nullptr;
  try {
    std::vector<int> found;
    if (!model->processor.Encode({text, static_cast<size_t>(count)}, &found).ok()) return -1;
    *ids = static_cast<int32_t *>(std::malloc((found.size() + 1) * sizeof(int32_t)));
    if (*ids == nullptr) return -1;
    std::copy(found.begin(), found.end(), *ids);
    return static_cast<intptr_t>(found.size());
  } catch (...) {
    return -1;
  }
}

intptr_t csentencepiece_normalize(
    const csentencepiece_model *model, const char *text, intptr_t count, char **normalized) {
  *normalized = nullptr;
  try {
    // Releases before 0.2 have no function for it, but the pieces put together are the normalized text.
    std::vector<std::string> pieces;
    if (!model->processor.Encode({text, static_cast<size_t>(count)}, &pieces).ok()) return -1;
    std::string whole;
    for (const std::string &piece : pieces) whole += piece;
    *normalized = copy(whole);
    return *normalized == nullptr ? -1 : static_cast<intptr_t>(whole.size());
  } catch (...) {
    return -1;
  }
}

char *csentencepiece_decode(const csentencepiece_model *model, const int32_t *ids, intptr_t count) {
  try {
    std::string text;
    if (!model->processor.Decode(std::vector<int>(ids, ids + count), &text).ok()) return nullptr;
    return copy(text);
  } catch (...) {
    return nullptr;
  }
}
