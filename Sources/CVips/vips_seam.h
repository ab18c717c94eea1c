// The part of libvips that Swift cannot call itself: functions with variable arguments, and macros.
#pragma once

#include <vips/vips.h>

typedef enum {
    VIPS_SEAM_JPEG, VIPS_SEAM_PNG, VIPS_SEAM_WEBP, VIPS_SEAM_GIF, VIPS_SEAM_TIFF
} vips_seam_format;

// Reads the header of the image in `bytes`, which must outlive `*image`. `shrink` (1, 2, 4, 8) is for JPEG only.
// Returns 0 on success.
static inline int vips_seam_open(
    vips_seam_format format, const void *bytes, size_t count, int shrink, VipsImage **image)
{
    void *buffer = (void *) bytes;
    const VipsAccess access = VIPS_ACCESS_SEQUENTIAL;
    const VipsFailOn fail_on = VIPS_FAIL_ON_TRUNCATED;
    switch (format) {
    case VIPS_SEAM_JPEG:
        return vips_jpegload_buffer(
            buffer, count, image, "access", access, "fail_on", fail_on, "shrink", shrink, NULL);
    case VIPS_SEAM_PNG:
        return vips_pngload_buffer(buffer, count, image, "access", access, "fail_on", fail_on, NULL);
    case VIPS_SEAM_WEBP:
        return vips_webpload_buffer(buffer, count, image, "access", access, "fail_on", fail_on, NULL);
    case VIPS_SEAM_GIF:
        return vips_gifload_buffer(buffer, count, image, "access", access, "fail_on", fail_on, NULL);
    case VIPS_SEAM_TIFF:
        return vips_tiffload_buffer(buffer, count, image, "access", access, "fail_on", fail_on, NULL);
    }
    return -1;
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
