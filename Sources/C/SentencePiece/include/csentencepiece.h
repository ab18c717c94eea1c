// The C seam to the sentencepiece library, which has a C++ interface only. No function lets an exception out.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A loaded model. It does not change, so all threads may use it at once.
typedef struct csentencepiece_model csentencepiece_model;

/// Loads the bytes of a `.model` file. NULL on failure; `message` then says why, and is to be freed.
csentencepiece_model *csentencepiece_load(const void *bytes, intptr_t count, char **message);
void csentencepiece_release(csentencepiece_model *model);
/// Frees memory that a function of the seam allocated.
void csentencepiece_free(void *memory);

/// The number of pieces; ids are below it.
int32_t csentencepiece_count(const csentencepiece_model *model);
/// The spelling of the piece with a valid id; it belongs to the model.
const char *csentencepiece_piece(const csentencepiece_model *model, int32_t id);
/// The id of a piece; that of the unknown piece for a spelling that the model lacks.
int32_t csentencepiece_id(const csentencepiece_model *model, const char *piece);

/// The ids of a text in UTF-8; free `ids`. Negative on failure.
intptr_t csentencepiece_encode(const csentencepiece_model *model, const char *text, intptr_t count, int32_t **ids);
/// A text as the model normalizes it, in UTF-8 of the given length; free `normalized`. Negative on failure.
intptr_t csentencepiece_normalize(
    const csentencepiece_model *model, const char *text, intptr_t count, char **normalized);
/// The text of valid ids; free it. NULL on failure.
char *csentencepiece_decode(const csentencepiece_model *model, const int32_t *ids, intptr_t count);

#ifdef __cplusplus
}
#endif
