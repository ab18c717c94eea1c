#ifndef CONCORD_TEXT_SEAM_H
#define CONCORD_TEXT_SEAM_H

#include <vips/vips.h>

/// Draws a glyph's bitmap (the bytes of a PNG) on a white square of `size` pixels a side, as the bytes of a PNG.
///
/// The square is as high as the bitmap and centred in it: emoji bitmaps are wider than high by an empty margin.
/// Returns 0, or -1 with libvips's error text set. The caller frees `*output` with `g_free`.
static inline int concord_draw_bitmap(
    const void *bitmap, size_t length, int size, void **output, size_t *outputLength) {
    VipsImage *decoded = NULL, *flat = NULL, *square = NULL, *resized = NULL;
    double white = 255;
    VipsArrayDouble *background = vips_array_double_new(&white, 1);
    int failed = vips_pngload_buffer((void *) bitmap, length, &decoded, "fail_on", VIPS_FAIL_ON_ERROR, NULL)
        || vips_flatten(decoded, &flat, "background", background, NULL)
        || vips_gravity(
            flat, &square, VIPS_COMPASS_DIRECTION_CENTRE, decoded->Ysize, decoded->Ysize,
            "extend", VIPS_EXTEND_BACKGROUND, "background", background, NULL)
        || vips_resize(square, &resized, (double) size / decoded->Ysize, NULL)
        || vips_pngsave_buffer(resized, output, outputLength, "strip", TRUE, NULL);
    vips_area_unref(VIPS_AREA(background));
    if (resized) g_object_unref(resized);
    if (square) g_object_unref(square);
    if (flat) g_object_unref(flat);
    if (decoded) g_object_unref(decoded);
    return failed ? -1 : 0;
}

#endif
