import CVips

/// How stored pixels become 8-bit RGB: what Pillow's `convert("RGB")` does to the mode it opens the file in.
///
/// Alpha is dropped, not blended. Greys above 8 bits are clipped to 0…255; colours above 8 bits keep their high
/// byte. CMYK is multiplied out without colour profiles.
enum PixelConversion {
    case copy
    case greyBytes(bands: Int)
    case colourBytes(bands: Int)
    case cmykBytes(bands: Int)
    case clippedGrey(VipsBandFormat, bands: Int)
    case greyHighBytes(bands: Int)
    case colourHighBytes(bands: Int)
    case cmykHighBytes(bands: Int)

    /// The conversion for pixels of `bands` values of `format`, or nil where Pillow knows none either.
    init?(
        format: VipsBandFormat, bands: Int, interpretation: VipsInterpretation, isTransparencyKeyed: Bool
    ) {
        let isCMYK = interpretation == VIPS_INTERPRETATION_CMYK
        switch (format, bands) {
        case (VIPS_FORMAT_UCHAR, 1), (VIPS_FORMAT_UCHAR, 2): self = .greyBytes(bands: bands)
        case (VIPS_FORMAT_UCHAR, 4...) where isCMYK: self = .cmykBytes(bands: bands)
        case (VIPS_FORMAT_USHORT, 4...) where isCMYK: self = .cmykHighBytes(bands: bands)
        case (_, 3...) where interpretation == VIPS_INTERPRETATION_LAB: return nil
        case (VIPS_FORMAT_UCHAR, 3): self = .copy
        case (VIPS_FORMAT_UCHAR, 4...): self = .colourBytes(bands: bands)
        case (VIPS_FORMAT_USHORT, 2) where !isTransparencyKeyed: self = .greyHighBytes(bands: bands)
        case (VIPS_FORMAT_USHORT, 3...): self = .colourHighBytes(bands: bands)
        case (VIPS_FORMAT_USHORT, 1...2), (VIPS_FORMAT_SHORT, 1), (VIPS_FORMAT_INT, 1), (VIPS_FORMAT_UINT, 1),
            (VIPS_FORMAT_FLOAT, 1), (VIPS_FORMAT_DOUBLE, 1):
            self = .clippedGrey(format, bands: bands)
        default: return nil
        }
    }

    /// Converts one row of `width` pixels.
    func callAsFunction(_ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<UInt8>, width: Int) {
        let bytes = source.assumingMemoryBound(to: UInt8.self)
        let words = source.assumingMemoryBound(to: UInt16.self)
        switch self {
        case .copy: target.update(from: bytes, count: width * 3)
        case .greyBytes(let bands): grey(target, width) { bytes[$0 * bands] }
        case .greyHighBytes(let bands): grey(target, width) { high(words[$0 * bands]) }
        case .colourBytes(let bands): colour(target, width) { bytes[$0 * bands + $1] }
        case .colourHighBytes(let bands): colour(target, width) { high(words[$0 * bands + $1]) }
        case .cmykBytes(let bands): cmyk(target, width) { bytes[$0 * bands + $1] }
        case .cmykHighBytes(let bands): cmyk(target, width) { high(words[$0 * bands + $1]) }
        case .clippedGrey(let format, let bands):
            switch format {
            case VIPS_FORMAT_USHORT: grey(target, width) { UInt8(clamping: words[$0 * bands]) }
            case VIPS_FORMAT_SHORT: clip(source, Int16.self, target, width)
            case VIPS_FORMAT_INT: clip(source, Int32.self, target, width)
            case VIPS_FORMAT_UINT: clip(source, UInt32.self, target, width)
            case VIPS_FORMAT_FLOAT: clip(source, Float.self, target, width)
            default: clip(source, Double.self, target, width)
            }
        }
    }

    @inline(__always)
    private func high(_ value: UInt16) -> UInt8 { UInt8(truncatingIfNeeded: value >> 8) }

    @inline(__always)
    private func grey(_ target: UnsafeMutablePointer<UInt8>, _ width: Int, _ value: (Int) -> UInt8) {
        for x in 0..<width {
            let shade = value(x)
            target[x * 3] = shade
            target[x * 3 + 1] = shade
            target[x * 3 + 2] = shade
        }
    }

    @inline(__always)
    private func colour(_ target: UnsafeMutablePointer<UInt8>, _ width: Int, _ value: (Int, Int) -> UInt8) {
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

    private func clip<Value: BinaryInteger>(
        _ source: UnsafeRawPointer, _: Value.Type, _ target: UnsafeMutablePointer<UInt8>, _ width: Int
    ) {
        let values = source.assumingMemoryBound(to: Value.self)
        grey(target, width) { UInt8(clamping: values[$0]) }
    }

    private func clip<Value: BinaryFloatingPoint>(
        _ source: UnsafeRawPointer, _: Value.Type, _ target: UnsafeMutablePointer<UInt8>, _ width: Int
    ) {
        let values = source.assumingMemoryBound(to: Value.self)
        // `maximum` turns a NaN into 0, so that the conversion cannot trap.
        grey(target, width) { UInt8(Value.minimum(Value.maximum(values[$0], 0), 255)) }
    }
}
