/// An image in memory: 8-bit RGB.
public struct Image: Sendable, Hashable {
    /// Columns.
    public let width: Int
    /// Rows.
    public let height: Int
    /// `[height, width, 3]`, row by row from the top.
    public let pixels: [UInt8]

    /// An image of the given pixels, `[height, width, 3]`.
    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0, "an image needs a positive size, got \(width)×\(height)")
        precondition(
            pixels.count == width * height * 3,
            "an image of \(width)×\(height) needs \(width * height * 3) bytes, got \(pixels.count)")
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// An image whose pixels `body` writes into a buffer `[height, width, 3]` that starts uninitialized.
    init(width: Int, height: Int, filling body: (UnsafeMutablePointer<UInt8>) -> Void) {
        let count = width * height * 3
        self.init(
            width: width, height: height,
            pixels: [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                if let base = buffer.baseAddress { body(base) }
                filled = count
            })
    }

    /// Calls `body` with the address of the first pixel.
    func withPixels<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
        pixels.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("an image has at least one pixel") }
            return body(base)
        }
    }

    /// The part of the image that starts at column `x`, row `y`.
    package func cropped(x: Int, y: Int, width: Int, height: Int) -> Image {
        precondition(
            x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= self.width && y + height <= self.height,
            "the crop \(width)×\(height) at (\(x), \(y)) leaves the image of \(self.width)×\(self.height)")
        return withPixels { source in
            Image(width: width, height: height) { target in
                for row in 0..<height {
                    (target + row * width * 3).update(
                        from: source + ((y + row) * self.width + x) * 3, count: width * 3)
                }
            }
        }
    }

    /// The image mirrored left to right.
    package func flippedHorizontally() -> Image { oriented(.mirrored) }

    /// The image in shades of gray, still as RGB: Pillow's luma, `(19595 R + 38470 G + 7471 B + 32768) >> 16`.
    package func grayscale() -> Image {
        withPixels { source in
            Image(width: width, height: height) { target in
                for offset in stride(from: 0, to: width * height * 3, by: 3) {
                    let gray = luma(source + offset)
                    target[offset] = gray
                    target[offset + 1] = gray
                    target[offset + 2] = gray
                }
            }
        }
    }
}

/// The luma of one RGB pixel, as Pillow's conversion to mode `L` computes it.
@inline(__always)
func luma(_ pixel: UnsafePointer<UInt8>) -> UInt8 {
    let weighted = Int32(pixel[0]) &* 19595 &+ Int32(pixel[1]) &* 38470 &+ Int32(pixel[2]) &* 7471
    return UInt8(truncatingIfNeeded: (weighted &+ 0x8000) &>> 16)
}

/// The EXIF orientation of a stored image: how it must be turned to stand upright.
enum ImageOrientation: Int {
    case upright = 1
    case mirrored, upsideDown, mirroredUpsideDown
    case transposed, turnedClockwise, transversed, turnedAnticlockwise

    var swapsSides: Bool { rawValue >= Self.transposed.rawValue }
}

extension Image {
    /// The image turned upright from `orientation`, as Pillow's `ImageOps.exif_transpose` does.
    func oriented(_ orientation: ImageOrientation) -> Image {
        if orientation == .upright { return self }
        let (right, bottom) = (width - 1, height - 1)
        // Where the upright image's first pixel is stored, and how far apart its neighbors are.
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
