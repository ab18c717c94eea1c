// Sound files that are bytes in memory: libsndfile reads and writes them through functions.
#pragma once

#include <sndfile.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The formats that are read; older headers lack the last name.
enum {
    SNDFILE_SEAM_WAV = SF_FORMAT_WAV,
    SNDFILE_SEAM_WAV_EXTENSIBLE = SF_FORMAT_WAVEX,
    SNDFILE_SEAM_RF64 = SF_FORMAT_RF64,
    SNDFILE_SEAM_FLAC = SF_FORMAT_FLAC,
    SNDFILE_SEAM_OGG = SF_FORMAT_OGG,
    SNDFILE_SEAM_MPEG = 0x230000,
    // What is written.
    SNDFILE_SEAM_WRITES_FLAC = SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
    SNDFILE_SEAM_WRITES_WAV = SF_FORMAT_WAV | SF_FORMAT_PCM_16,
    SNDFILE_SEAM_WRITES_VORBIS = SF_FORMAT_OGG | SF_FORMAT_VORBIS,
    SNDFILE_SEAM_WRITES_OPUS = SF_FORMAT_OGG | SF_FORMAT_OPUS,
    SNDFILE_SEAM_WRITES_MP3 = 0x230000 | 0x0082,
};

// Bytes of a file, and where the next ones are read or written.
typedef struct {
    uint8_t *bytes;
    sf_count_t count, position, capacity;
} sndfile_seam_memory;

static inline sf_count_t sndfile_seam_length(void *user) { return ((sndfile_seam_memory *) user)->count; }

static inline sf_count_t sndfile_seam_tell(void *user) { return ((sndfile_seam_memory *) user)->position; }

static inline sf_count_t sndfile_seam_seek(sf_count_t offset, int whence, void *user)
{
    sndfile_seam_memory *memory = (sndfile_seam_memory *) user;
    sf_count_t start = whence == SEEK_CUR ? memory->position : whence == SEEK_END ? memory->count : 0;
    sf_count_t position;
    if (__builtin_add_overflow(start, offset, &position) || position < 0) return -1;
    return memory->position = position;
}

static inline sf_count_t sndfile_seam_read_bytes(void *target, sf_count_t wanted, void *user)
{
    sndfile_seam_memory *memory = (sndfile_seam_memory *) user;
    if (wanted <= 0 || memory->position >= memory->count) return 0;
    sf_count_t left = memory->count - memory->position;
    sf_count_t size = wanted < left ? wanted : left;
    memcpy(target, memory->bytes + memory->position, (size_t) size);
    memory->position += size;
    return size;
}

static inline sf_count_t sndfile_seam_refuse_bytes(const void *bytes, sf_count_t count, void *user)
{
    (void) bytes, (void) count, (void) user;
    return 0;
}

static inline sf_count_t sndfile_seam_write_bytes(const void *bytes, sf_count_t count, void *user)
{
    sndfile_seam_memory *memory = (sndfile_seam_memory *) user;
    sf_count_t end;
    if (count <= 0 || __builtin_add_overflow(memory->position, count, &end)) return 0;
    if (end > memory->capacity) {
        sf_count_t capacity = end + end / 2 + 4096;
        uint8_t *grown = (uint8_t *) realloc(memory->bytes, (size_t) capacity);
        if (!grown) return 0;
        memory->bytes = grown;
        memory->capacity = capacity;
    }
    // What was sought beyond the end is 0.
    if (memory->position > memory->count)
        memset(memory->bytes + memory->count, 0, (size_t) (memory->position - memory->count));
    memcpy(memory->bytes + memory->position, bytes, (size_t) count);
    memory->position = end;
    if (end > memory->count) memory->count = end;
    return count;
}

// A sound in a file whose header has been read.
typedef struct {
    SNDFILE *file;
    SF_INFO info;
    sndfile_seam_memory memory;
} sndfile_seam_reader;

// Opens a file whose bytes outlive the reader. NULL where libsndfile finds no sound in it.
static inline sndfile_seam_reader *sndfile_seam_open(const void *bytes, size_t count)
{
    sndfile_seam_reader *reader = (sndfile_seam_reader *) calloc(1, sizeof *reader);
    if (!reader) return NULL;
    // It is only read from.
    reader->memory.bytes = (uint8_t *) bytes;
    reader->memory.count = (sf_count_t) count;
    SF_VIRTUAL_IO functions = {
        sndfile_seam_length, sndfile_seam_seek, sndfile_seam_read_bytes, sndfile_seam_refuse_bytes, sndfile_seam_tell};
    reader->file = sf_open_virtual(&functions, SFM_READ, &reader->info, &reader->memory);
    if (reader->file) return reader;
    free(reader);
    return NULL;
}

// Reads up to `frames` values of every channel, side by side, as numbers in -1…1. Returns how many it read.
static inline int64_t sndfile_seam_read(sndfile_seam_reader *reader, float *target, int64_t frames)
{
    return sf_readf_float(reader->file, target, frames);
}

// Whether reading has met damage.
static inline bool sndfile_seam_failed(sndfile_seam_reader *reader) { return sf_error(reader->file) != SF_ERR_NO_ERROR; }

static inline void sndfile_seam_close(sndfile_seam_reader *reader)
{
    sf_close(reader->file);
    free(reader);
}

// The file of a sound of 16 bits. NULL where libsndfile cannot write it; free the bytes.
static inline uint8_t *sndfile_seam_encode(
    const int16_t *samples, int64_t frames, int rate, int channels, int format, size_t *count)
{
    sndfile_seam_memory memory = {NULL, 0, 0, 0};
    SF_INFO info;
    memset(&info, 0, sizeof info);
    info.samplerate = rate;
    info.channels = channels;
    info.format = format;
    SF_VIRTUAL_IO functions = {
        sndfile_seam_length, sndfile_seam_seek, sndfile_seam_read_bytes, sndfile_seam_write_bytes, sndfile_seam_tell};
    SNDFILE *file = sf_format_check(&info) ? sf_open_virtual(&functions, SFM_WRITE, &info, &memory) : NULL;
    bool is_written = file && sf_writef_short(file, samples, frames) == frames;
    if (file && sf_close(file) != 0) is_written = false;
    if (is_written && memory.count > 0) {
        *count = (size_t) memory.count;
        return memory.bytes;
    }
    free(memory.bytes);
    return NULL;
}
