import ConcordCore

// Color changes, equal to the last bit to torchvision's on Pillow images: `ImageEnhance` blends, and the hue turned
// in Pillow's 8-bit HSV.
extension Image {
    /// Brightness times `factor`: a blend with black.
    package func brightened(by factor: Float) -> Image { mapped { Self.blend(0, $0, factor) } }

    /// Contrast times `factor`: a blend with the mean luma.
    package func contrasted(by factor: Float) -> Image {
        let sum = withPixels { source in
            stride(from: 0, to: width * height * 3, by: 3).reduce(into: 0) { $0 += Int(luma(source + $1)) }
        }
        let mean = Int(Double(sum) / Double(width * height) + 0.5)
        return mapped { Self.blend(UInt8(mean), $0, factor) }
    }

    /// Saturation times `factor`: a blend with the gray image.
    package func saturated(by factor: Float) -> Image {
        withPixels { source in
            Image(width: width, height: height) { target in
                for offset in stride(from: 0, to: width * height * 3, by: 3) {
                    let gray = luma(source + offset)
                    for index in offset..<(offset + 3) { target[index] = Self.blend(gray, source[index], factor) }
                }
            }
        }
    }

    /// The hue turned by `fraction` of the circle, −0.5…0.5.
    package func hueTurned(by fraction: Double) -> Image {
        let turn = UInt8(truncatingIfNeeded: Int(fraction * 255))
        return withPixels { source in
            Image(width: width, height: height) { target in
                for offset in stride(from: 0, to: width * height * 3, by: 3) {
                    let (hue, saturation, value) = Self.hsv(source[offset], source[offset + 1], source[offset + 2])
                    let turned = Self.rgb(hue &+ turn, saturation, value)
                    (target[offset], target[offset + 1], target[offset + 2]) = turned
                }
            }
        }
    }

    /// The image with every byte replaced by what `body` makes of it.
    private func mapped(_ body: (UInt8) -> UInt8) -> Image {
        let table = (0..<256).map { body(UInt8($0)) }
        return table.withUnsafeBufferPointer { table in
            withPixels { source in
                Image(width: width, height: height) { target in
                    for index in 0..<(width * height * 3) { target[index] = table[Int(source[index])] }
                }
            }
        }
    }

    /// Pillow's `Image.blend` of two bytes, in single precision.
    @inline(__always)
    private static func blend(_ from: UInt8, _ to: UInt8, _ factor: Float) -> UInt8 {
        let value = Float(from) + factor * Float(Int32(to) - Int32(from))
        return UInt8(min(max(value, 0), 255))
    }

    /// Pillow's `rgb2hsv`; single precision, but where its C has double constants.
    private static func hsv(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> (UInt8, UInt8, UInt8) {
        let highest = max(red, green, blue)
        let lowest = min(red, green, blue)
        guard highest != lowest else { return (0, 0, highest) }
        let range = Float(highest - lowest)
        let (r, g, b) = (Float(highest - red) / range, Float(highest - green) / range, Float(highest - blue) / range)
        var hue: Float =
            if red == highest {
                b - g
            } else if green == highest {
                Float(2.0 + Double(r) - Double(b))
            } else {
                Float(4.0 + Double(g) - Double(r))
            }
        hue = Float(fmod(Double(hue) / 6.0 + 1.0, 1.0))
        let saturation = range / Float(highest)
        return (
            UInt8(clamping: Int(Double(hue) * 255.0)), UInt8(clamping: Int(Double(saturation) * 255.0)), highest
        )
    }

    /// Pillow's `hsv2rgb`; single precision, but where its C has double constants.
    private static func rgb(_ hue: UInt8, _ saturation: UInt8, _ value: UInt8) -> (UInt8, UInt8, UInt8) {
        guard saturation != 0 else { return (value, value, value) }
        let position = Double(Float(hue)) * 6.0 / 255.0
        let sector = Int(position.rounded(.down))
        let rest = Float(position - Double(Float(sector)))
        let strength = Float(Double(Float(saturation)) / 255.0)
        func shade(_ loss: Double) -> UInt8 {
            UInt8(clamping: Int((Double(Float(value)) * (1.0 - loss)).rounded(.toNearestOrAwayFromZero)))
        }
        let low = shade(Double(strength))
        let falling = shade(Double(strength * rest))
        let rising = shade(Double(strength) * (1.0 - Double(rest)))
        switch sector % 6 {
        case 0: return (value, rising, low)
        case 1: return (falling, value, low)
        case 2: return (low, value, rising)
        case 3: return (low, falling, value)
        case 4: return (rising, low, value)
        default: return (value, low, falling)
        }
    }
}
