import CVips

/// A conversion of stored pixels to 8-bit RGB, as Pillow's `convert("RGB")` does it from the mode that it opens the
/// file in.
///
/// Alpha is dropped, not blended. Grays above 8 bits are clipped to 0…255; colors above 8 bits keep their high
/// byte, or the nearest. CMYK is multiplied out without color profiles.
enum PixelConversion {
    case copy
    case grayBytes(bands: Int)
    case colorBytes(bands: Int)
    case cmykBytes(bands: Int)
    case ycbcrBytes
    case clippedGray(VipsBandFormat, bands: Int)
    /// `half` is added before the high byte is taken: 0, or 128 to round.
    case grayHighBytes(bands: Int, half: Int)
    case colorHighBytes(bands: Int, half: Int)
    case cmykHighBytes(bands: Int)

    /// The conversion for pixels of `bands` values of `format`, or nil where Pillow knows none either.
    init?(
        format: VipsBandFormat, bands: Int, interpretation: VipsInterpretation, isTransparencyKeyed: Bool,
        roundsHighBytes: Bool
    ) {
        let half = roundsHighBytes ? 128 : 0
        let isCMYK = interpretation == VIPS_INTERPRETATION_CMYK
        switch (format, bands) {
        case (VIPS_FORMAT_UCHAR, 1), (VIPS_FORMAT_UCHAR, 2): self = .grayBytes(bands: bands)
        case (VIPS_FORMAT_UCHAR, 4...) where isCMYK: self = .cmykBytes(bands: bands)
        case (VIPS_FORMAT_USHORT, 4...) where isCMYK: self = .cmykHighBytes(bands: bands)
        case (_, 3...) where interpretation == VIPS_INTERPRETATION_LAB: return nil
        case (VIPS_FORMAT_UCHAR, 3): self = .copy
        case (VIPS_FORMAT_UCHAR, 4...): self = .colorBytes(bands: bands)
        case (VIPS_FORMAT_USHORT, 2) where !isTransparencyKeyed: self = .grayHighBytes(bands: bands, half: half)
        case (VIPS_FORMAT_USHORT, 3...): self = .colorHighBytes(bands: bands, half: half)
        case (VIPS_FORMAT_USHORT, 1...2), (VIPS_FORMAT_SHORT, 1), (VIPS_FORMAT_INT, 1), (VIPS_FORMAT_UINT, 1),
            (VIPS_FORMAT_FLOAT, 1), (VIPS_FORMAT_DOUBLE, 1):
            self = .clippedGray(format, bands: bands)
        default: return nil
        }
    }

    /// Converts one row of `width` pixels.
    func callAsFunction(_ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<UInt8>, width: Int) {
        let bytes = source.assumingMemoryBound(to: UInt8.self)
        let words = source.assumingMemoryBound(to: UInt16.self)
        switch self {
        case .copy: target.update(from: bytes, count: width * 3)
        case .grayBytes(let bands): gray(target, width) { bytes[$0 * bands] }
        case .grayHighBytes(let bands, let half): gray(target, width) { high(words[$0 * bands], half) }
        case .colorBytes(let bands): color(target, width) { bytes[$0 * bands + $1] }
        case .colorHighBytes(let bands, let half): color(target, width) { high(words[$0 * bands + $1], half) }
        case .cmykBytes(let bands): cmyk(target, width) { bytes[$0 * bands + $1] }
        case .cmykHighBytes(let bands): cmyk(target, width) { high(words[$0 * bands + $1], 0) }
        case .ycbcrBytes: ycbcr(target, width, bytes)
        case .clippedGray(let format, let bands):
            switch format {
            case VIPS_FORMAT_USHORT: gray(target, width) { UInt8(clamping: words[$0 * bands]) }
            case VIPS_FORMAT_SHORT: clip(source, Int16.self, target, width)
            case VIPS_FORMAT_INT: clip(source, Int32.self, target, width)
            case VIPS_FORMAT_UINT: clip(source, UInt32.self, target, width)
            case VIPS_FORMAT_FLOAT: clip(source, Float.self, target, width)
            default: clip(source, Double.self, target, width)
            }
        }
    }

    @inline(__always)
    private func high(_ value: UInt16, _ half: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: min(Int(value) + half, 65535) >> 8)
    }

    @inline(__always)
    private func gray(_ target: UnsafeMutablePointer<UInt8>, _ width: Int, _ value: (Int) -> UInt8) {
        for x in 0..<width {
            let shade = value(x)
            target[x * 3] = shade
            target[x * 3 + 1] = shade
            target[x * 3 + 2] = shade
        }
    }

    @inline(__always)
    private func color(_ target: UnsafeMutablePointer<UInt8>, _ width: Int, _ value: (Int, Int) -> UInt8) {
        for x in 0..<width {
            for channel in 0..<3 { target[x * 3 + channel] = value(x, channel) }
        }
    }

    @inline(__always)
    private func cmyk(_ target: UnsafeMutablePointer<UInt8>, _ width: Int, _ value: (Int, Int) -> UInt8) {
        for x in 0..<width {
            let light = 255 - Int(value(x, 3))
            for channel in 0..<3 {
                // ink · light / 255, rounded: Pillow's integer form.
                let product = Int(value(x, channel)) * light + 128
                target[x * 3 + channel] = UInt8(clamping: light - ((product >> 8) + product) >> 8)
            }
        }
    }

    private func ycbcr(_ target: UnsafeMutablePointer<UInt8>, _ width: Int, _ source: UnsafePointer<UInt8>) {
        let tables = Self.chroma
        for offset in stride(from: 0, to: width * 3, by: 3) {
            let (luma, blue, red) = (Int(source[offset]), Int(source[offset + 1]), Int(source[offset + 2]))
            target[offset] = UInt8(clamping: luma + tables.redOfRed[red] >> 6)
            target[offset + 1] = UInt8(clamping: luma + (tables.greenOfBlue[blue] + tables.greenOfRed[red]) >> 6)
            target[offset + 2] = UInt8(clamping: luma + tables.blueOfBlue[blue] >> 6)
        }
    }

    /// The share of Cb and Cr in R, G and B, in 64ths: Pillow's tables of JFIF's equations.
    private static let chroma: (redOfRed: [Int], greenOfBlue: [Int], greenOfRed: [Int], blueOfBlue: [Int]) = {
        func table(_ factor: Double) -> [Int] { (-128..<128).map { Int(factor * 64 * Double($0) + 0.5) } }
        return (table(1.402), table(-0.34414), table(-0.71414), table(1.772))
    }()

    private func clip<Value: BinaryInteger>(
        _ source: UnsafeRawPointer, _: Value.Type, _ target: UnsafeMutablePointer<UInt8>, _ width: Int
    ) {
        let values = source.assumingMemoryBound(to: Value.self)
        gray(target, width) { UInt8(clamping: values[$0]) }
    }

    private func clip<Value: BinaryFloatingPoint>(
        _ source: UnsafeRawPointer, _: Value.Type, _ target: UnsafeMutablePointer<UInt8>, _ width: Int
    ) {
        let values = source.assumingMemoryBound(to: Value.self)
        // `maximum` turns a NaN into 0, so that the conversion cannot trap.
        gray(target, width) { UInt8(Value.minimum(Value.maximum(values[$0], 0), 255)) }
    }
}
