// What libvips does not tell of a TIFF file, and the one conversion that it does not make: libtiff's YCbCr to RGB.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <tiffio.h>

typedef struct {
    uint32_t width, height;
    // Of a tile, or of a strip.
    uint32_t block_width, block_height;
    uint16_t photometric, bits, sample_format, samples, compression, orientation;
    // The first of the extra samples, and their number.
    uint16_t extra_samples[3], extra_sample_count;
    uint16_t subsampling[2];
    bool is_tiled, is_planar;
    // Whether the file has YCbCr coefficients, and reference levels, of its own.
    bool has_coefficients, has_reference_levels;
    uint32_t pages;
    // Whether this libtiff knows the compression.
    bool is_decompressible;
} tiff_seam_header;

typedef struct {
    const uint8_t *bytes;
    uint64_t count, position;
} tiff_seam_source;

static inline tmsize_t tiff_seam_read(thandle_t handle, void *target, tmsize_t wanted)
{
    tiff_seam_source *source = (tiff_seam_source *) handle;
    if (wanted < 0 || source->position >= source->count) return 0;
    uint64_t left = source->count - source->position;
    uint64_t size = (uint64_t) wanted < left ? (uint64_t) wanted : left;
    memcpy(target, source->bytes + source->position, size);
    source->position += size;
    return (tmsize_t) size;
}

static inline tmsize_t tiff_seam_write(thandle_t handle, void *bytes, tmsize_t count)
{
    (void) handle, (void) bytes, (void) count;
    return -1;
}

static inline toff_t tiff_seam_seek(thandle_t handle, toff_t offset, int whence)
{
    tiff_seam_source *source = (tiff_seam_source *) handle;
    source->position = offset + (whence == SEEK_CUR ? source->position : whence == SEEK_END ? source->count : 0);
    return source->position;
}

static inline int tiff_seam_close(thandle_t handle)
{
    (void) handle;
    return 0;
}

static inline toff_t tiff_seam_size(thandle_t handle) { return ((tiff_seam_source *) handle)->count; }

static inline int tiff_seam_map(thandle_t handle, void **bytes, toff_t *count)
{
    (void) handle, (void) bytes, (void) count;
    return 0;
}

static inline void tiff_seam_unmap(thandle_t handle, void *bytes, toff_t count)
{
    (void) handle, (void) bytes, (void) count;
}

static inline TIFF *tiff_seam_open(tiff_seam_source *source)
{
    return TIFFClientOpen(
        "picture", "rm", (thandle_t) source, tiff_seam_read, tiff_seam_write, tiff_seam_seek, tiff_seam_close,
        tiff_seam_size, tiff_seam_map, tiff_seam_unmap);
}

// Reads the tags of the first page. Returns whether the file has those that every picture has.
static inline bool tiff_seam_read_header(const void *bytes, size_t count, tiff_seam_header *header)
{
    tiff_seam_source source = {bytes, count, 0};
    TIFF *tiff = tiff_seam_open(&source);
    if (!tiff) return false;
    memset(header, 0, sizeof *header);
    uint16_t planar = PLANARCONFIG_CONTIG, *extra = NULL;
    bool is_complete = TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &header->width)
        && TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &header->height)
        && TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &header->photometric);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &header->bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &header->sample_format);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &header->samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &header->compression);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &header->orientation);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planar);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_YCBCRSUBSAMPLING, &header->subsampling[0], &header->subsampling[1]);
    if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &header->extra_sample_count, &extra)) {
        for (int index = 0; index < 3 && index < header->extra_sample_count; index++)
            header->extra_samples[index] = extra[index];
    }
    float *levels = NULL;
    header->has_coefficients = TIFFGetField(tiff, TIFFTAG_YCBCRCOEFFICIENTS, &levels);
    header->has_reference_levels = TIFFGetField(tiff, TIFFTAG_REFERENCEBLACKWHITE, &levels);
    header->is_planar = planar == PLANARCONFIG_SEPARATE;
    header->is_tiled = TIFFIsTiled(tiff);
    header->is_decompressible = TIFFIsCODECConfigured(header->compression);
    header->block_width = header->width;
    if (header->is_tiled) {
        TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &header->block_width);
        TIFFGetField(tiff, TIFFTAG_TILELENGTH, &header->block_height);
    } else {
        TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &header->block_height);
        if (header->block_height > header->height) header->block_height = header->height;
    }
    header->pages = TIFFNumberOfDirectories(tiff);
    TIFFClose(tiff);
    return is_complete;
}

// Reads the first page as `width` × `height` values whose bytes are R, G, B and A from the lowest on; the rows as they are
// stored. Returns whether all of it could be read.
static inline bool tiff_seam_read_rgba(
    const void *bytes, size_t count, uint32_t width, uint32_t height, uint32_t *pixels)
{
    tiff_seam_source source = {bytes, count, 0};
    TIFF *tiff = tiff_seam_open(&source);
    if (!tiff) return false;
    TIFFRGBAImage image;
    char text[1024];
    bool is_read = false;
    if (TIFFRGBAImageOK(tiff, text) && TIFFRGBAImageBegin(&image, tiff, 1, text)) {
        image.orientation = image.req_orientation = ORIENTATION_TOPLEFT;
        is_read = image.width == width && image.height == height && TIFFRGBAImageGet(&image, pixels, width, height);
        TIFFRGBAImageEnd(&image);
    }
    TIFFClose(tiff);
    return is_read;
}
