/// The EXIF orientation of a stored picture: how it must be turned to stand upright.
enum ImageOrientation: Int {
    case upright = 1
    case mirrored, upsideDown, mirroredUpsideDown
    case transposed, turnedClockwise, transversed, turnedAnticlockwise

    var swapsSides: Bool { rawValue >= Self.transposed.rawValue }
}

extension Image {
    /// The picture turned upright from `orientation`, as Pillow's `ImageOps.exif_transpose` does.
    func oriented(_ orientation: ImageOrientation) -> Image {
        if orientation == .upright { return self }
        let (right, bottom) = (width - 1, height - 1)
        // Where the upright picture's first pixel is stored, and how far apart its neighbours are.
        let (x, y, along, down): (Int, Int, Int, Int) =
            switch orientation {
            case .upright: (0, 0, 1, width)
            case .mirrored: (right, 0, -1, width)
            case .upsideDown: (right, bottom, -1, -width)
            case .mirroredUpsideDown: (0, bottom, 1, -width)
            case .transposed: (0, 0, width, 1)
            case .turnedClockwise: (0, bottom, -width, 1)
            case .transversed: (right, bottom, -width, -1)
            case .turnedAnticlockwise: (right, 0, width, -1)
            }
        let (newWidth, newHeight) = orientation.swapsSides ? (height, width) : (width, height)
        return withPixels { source in
            let first = source + (y * width + x) * 3
            return Image(width: newWidth, height: newHeight) { target in
                var pixel = target
                for row in 0..<newHeight {
                    var stored = first + row * down * 3
                    for _ in 0..<newWidth {
                        pixel[0] = stored[0]
                        pixel[1] = stored[1]
                        pixel[2] = stored[2]
                        pixel += 3
                        stored += along * 3
                    }
                }
            }
        }
    }
}
