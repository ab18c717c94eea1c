// The part of libvips that Swift cannot call itself: functions with variable arguments, and macros.
#pragma once

#include <vips/vips.h>
#include <vips/vector.h>

typedef enum {
    VIPS_SEAM_JPEG, VIPS_SEAM_PNG, VIPS_SEAM_WEBP, VIPS_SEAM_GIF, VIPS_SEAM_TIFF, VIPS_SEAM_HEIF, VIPS_SEAM_JPEG_2000,
    VIPS_SEAM_JPEG_XL
} vips_seam_format;

// The operation that reads a format.
static inline const char *vips_seam_loader_name(vips_seam_format format)
{
    static const char *const names[] = {
        "jpegload_buffer", "pngload_buffer", "webpload_buffer", "gifload_buffer", "tiffload_buffer", "heifload_buffer",
        "jp2kload_buffer", "jxlload_buffer",
    };
    return names[format];
}

// Reads the header of the image in `bytes`, which must outlive `*image`. `shrink` (1, 2, 4, 8) is for JPEG only.
// Returns 0 on success.
static inline int vips_seam_open(
    vips_seam_format format, const void *bytes, size_t count, int shrink, VipsImage **image)
{
    // No callback for the bytes: the caller keeps them.
    VipsBlob *blob = vips_blob_new(NULL, bytes, count);
    const char *name = vips_seam_loader_name(format);
    const VipsAccess access = VIPS_ACCESS_SEQUENTIAL;
    const VipsFailOn fail_on = VIPS_FAIL_ON_TRUNCATED;
    int result = format == VIPS_SEAM_JPEG
        ? vips_call(name, blob, image, "access", access, "fail_on", fail_on, "shrink", shrink, NULL)
        : vips_call(name, blob, image, "access", access, "fail_on", fail_on, NULL);
    vips_area_unref(VIPS_AREA(blob));
    return result;
}

static inline const void *vips_seam_row(VipsRegion *region, int y)
{
    return VIPS_REGION_ADDR(region, 0, y);
}

static inline void vips_seam_release(gpointer object) { g_object_unref(object); }

// Encodes RGB8 `pixels` as PNG, or as JPEG where `quality` is above 0. The result is freed with `g_free`.
// Returns 0 on success.
static inline int vips_seam_encode(
    const void *pixels, int width, int height, int quality, void **bytes, size_t *count)
{
    VipsImage *image = vips_image_new_from_memory(
        pixels, (size_t) width * height * 3, width, height, 3, VIPS_FORMAT_UCHAR);
    if (!image) return -1;
    image->Type = VIPS_INTERPRETATION_sRGB;
    int result = quality > 0
        ? vips_jpegsave_buffer(image, bytes, count, "Q", quality, NULL)
        : vips_pngsave_buffer(image, bytes, count, NULL);
    g_object_unref(image);
    return result;
}
