// The part of libavif whose names differ between its versions.
#pragma once

#include <stdbool.h>
#include <avif/avif.h>

// The EXIF orientation that the file's rotation and mirroring amount to.
static inline int avif_seam_orientation(const avifImage *image)
{
#if AVIF_VERSION >= 1000000
    const bool left_right = image->imir.axis == 1;
#else
    const bool left_right = image->imir.mode == 1;
#endif
    const bool is_mirrored = image->transformFlags & AVIF_TRANSFORM_IMIR;
    const int angle = image->transformFlags & AVIF_TRANSFORM_IROT ? image->irot.angle : 0;
    // By the mirroring (none, top for bottom, left for right), then by quarter turns anticlockwise: a file is turned
    // before it is mirrored.
    static const int orientations[3][4] = {{1, 8, 3, 6}, {4, 5, 2, 7}, {2, 7, 4, 5}};
    return orientations[is_mirrored ? 1 + left_right : 0][angle & 3];
}

// What Pillow does not ask of a file either.
static inline void avif_seam_be_lenient(avifDecoder *decoder)
{
    decoder->strictFlags &= ~(AVIF_STRICT_CLAP_VALID | AVIF_STRICT_PIXI_REQUIRED);
}
