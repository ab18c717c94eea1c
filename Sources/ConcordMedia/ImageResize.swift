import ConcordCore

extension Image {
    /// A rectangle of an image, in pixels that may be broken: `left ≤ x < right`, `top ≤ y < bottom`.
    package struct Box: Sendable, Hashable {
        package let left, top, right, bottom: Float

        package init(left: Float, top: Float, right: Float, bottom: Float) {
            self.left = left
            self.top = top
            self.right = right
            self.bottom = bottom
        }
    }

    /// The image resized, equal to the last bit to Pillow 13's `Image.resize((width, height), filter)`.
    public func resized(width: Int, height: Int, filter: ResampleFilter = .bicubic) -> Image {
        resized(width: width, height: height, filter: filter, box: nil)
    }

    /// The image, or the part of it inside `box`, resized: equal to the last bit to Pillow 13's
    /// `Image.resize((width, height), filter, box)`. Outside the box, what the filter reaches still counts.
    package func resized(width: Int, height: Int, filter: ResampleFilter, box: Box?) -> Image {
        precondition(width > 0 && height > 0, "cannot resize to \(width)×\(height)")
        let whole = Box(left: 0, top: 0, right: Float(self.width), bottom: Float(self.height))
        let box = box ?? whole
        precondition(
            box.left >= 0 && box.top >= 0 && box.left < box.right && box.top < box.bottom
                && box.right <= whole.right && box.bottom <= whole.bottom,
            "the box \(box) leaves the image of \(self.width)×\(self.height)")
        return resized(width: width, height: height, filter: filter, box: box, columns: 0..<width, rows: 0..<height)
    }

    /// The given columns and rows of what `resized(width:height:filter:box:)` makes.
    func resized(
        width: Int, height: Int, filter: ResampleFilter, box: Box, columns: Range<Int>, rows: Range<Int>
    ) -> Image {
        if width == self.width && height == self.height
            && box == Box(left: 0, top: 0, right: Float(width), bottom: Float(height))
        {
            return cropped(x: columns.lowerBound, y: rows.lowerBound, width: columns.count, height: rows.count)
        }
        if filter == .nearest { return sampled(width: width, height: height, box: box, columns: columns, rows: rows) }
        #if arch(x86_64)
            return resampled(SSE2ResampleKernel.self, (width, height), filter, box, columns, rows)
        #else
            return resampled(PortableResampleKernel.self, (width, height), filter, box, columns, rows)
        #endif
    }

    /// As `resized(width:height:filter:box:)`, with the kernel for processors without a special one.
    package func resizedPortably(width: Int, height: Int, filter: ResampleFilter, box: Box) -> Image {
        precondition(filter != .nearest, "nearest neighbors are not summed")
        return resampled(PortableResampleKernel.self, (width, height), filter, box, 0..<width, 0..<height)
    }

    private func resampled<Kernel: ResampleKernel>(
        _: Kernel.Type, _ size: (width: Int, height: Int), _ filter: ResampleFilter, _ box: Box, _ columns: Range<Int>,
        _ rows: Range<Int>
    ) -> Image {
        // Pillow 13's choice of order, by the sizes before and after; older versions always filtered rows first.
        let columnsFirst = size.height < height && height - size.height > 2 * (width - size.width)
        return withPixels { source in
            let resampler = Resampler<Kernel>(
                source: source, rowBytes: width * 3,
                horizontal: ResampleWeights(
                    sourceSize: width, box: (box.left, box.right), size: size.width, range: columns, filter: filter),
                vertical: ResampleWeights(
                    sourceSize: height, box: (box.top, box.bottom), size: size.height, range: rows, filter: filter),
                columnsFirst: columnsFirst)
            return Image(width: columns.count, height: rows.count) { resampler.write(to: $0) }
        }
    }

    private func sampled(width: Int, height: Int, box: Box, columns: Range<Int>, rows: Range<Int>) -> Image {
        let x = Self.nearest(box.left, box.right, size: width, range: columns, limit: self.width)
        let y = Self.nearest(box.top, box.bottom, size: height, range: rows, limit: self.height)
        return withPixels { source in
            Image(width: columns.count, height: rows.count) { target in
                var pixel = target
                for row in y {
                    for column in x {
                        pixel.update(from: source + (row * self.width + column) * 3, count: 3)
                        pixel += 3
                    }
                }
            }
        }
    }

    /// The source position of each output position; a running sum, as in Pillow, not a product.
    private static func nearest(
        _ lower: Float, _ upper: Float, size: Int, range: Range<Int>, limit: Int
    ) -> [Int] {
        let scale = Double(upper - lower) / Double(size)
        var center = Double(lower) + scale * 0.5
        var positions: [Int] = []
        for position in 0..<range.upperBound {
            if position >= range.lowerBound { positions.append(min(Int(center), limit - 1)) }
            center += scale
        }
        return positions
    }
}

/// The filter of a resize. All but `nearest` widen with the reduction, so that shrinking does not alias.
public enum ResampleFilter: Int, Sendable, Hashable {
    // The raw values are Pillow's, which `preprocessor_config.json` stores as `resample`.
    case nearest = 0
    case lanczos = 1
    case bilinear = 2
    case bicubic = 3
    case box = 4

    /// The reach of the filter from its center, in source pixels at scale 1.
    var support: Double {
        switch self {
        case .nearest: 0
        case .box: 0.5
        case .bilinear: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    /// The weight at distance `x` from the center. Pillow's expressions, in its order: the last bit matters.
    func weight(_ x: Double) -> Double {
        let distance = abs(x)
        switch self {
        case .nearest:
            return 1
        case .box:
            return x > -0.5 && x <= 0.5 ? 1 : 0
        case .bilinear:
            return distance < 1 ? 1 - distance : 0
        case .bicubic:
            // Keys' cubic convolution with a = -0.5.
            let a = -0.5
            if distance < 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
            if distance < 2 { return (((distance - 5) * distance + 8) * distance - 4) * a }
            return 0
        case .lanczos:
            func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x * .pi) / (x * .pi) }
            return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0
        }
    }
}
