/// The preprocessing of a model's images: resize, center crop, and normalization by the mean and deviation of each
/// channel.
///
/// The same values train, evaluate and serve. Pixels equal, to the last bit, those of torchvision's transforms on
/// Pillow images (open_clip, OpenAI's CLIP) or of Hugging Face's image processors on Pillow images.
public struct ImagePreprocessing: Sendable, Hashable {
    /// The way to bring an image to `size`.
    public enum ResizeMode: Sendable, Hashable {
        /// The shorter edge becomes `size`, the longer `⌊size · long / short⌋`; the crop takes the middle.
        case shortestEdge
        /// Both edges become `size`, whatever the shape.
        case squash
        /// The longer edge becomes `size`; the rest is padded with `padColor`.
        case longestEdge
    }

    /// The rounding of the center crop's start when the margin is odd.
    public enum CropRule: String, Sendable, Hashable, CaseIterable {
        /// Half the margin, rounded half to even (torchvision, open_clip).
        case torchvision
        /// Half the margin, rounded down (Hugging Face).
        case huggingFace = "huggingface"
    }

    /// The edge that the resize aims at, in pixels.
    public var size: Int
    public var resizeMode: ResizeMode
    public var filter: ResampleFilter
    /// Width and height of the result, in pixels.
    public var cropSize: Int
    public var cropRule: CropRule
    /// Three values, for pixels scaled to 0…1.
    public var mean: [Double]
    /// Three values, for pixels scaled to 0…1.
    public var standardDeviation: [Double]
    /// Red, green and blue of what a crop that is larger than the image adds around it.
    public var padColor: [UInt8]

    public init(
        size: Int, resizeMode: ResizeMode = .shortestEdge, filter: ResampleFilter = .bicubic, cropSize: Int? = nil,
        cropRule: CropRule = .torchvision, mean: [Double], standardDeviation: [Double], padColor: [UInt8] = [0, 0, 0]
    ) {
        precondition(size > 0 && cropSize ?? size > 0, "sizes must be positive, got \(size), \(cropSize ?? size)")
        precondition(
            mean.count == 3 && standardDeviation.count == 3 && !standardDeviation.contains(0),
            "mean and standard deviation need three values each, the latter none of 0")
        precondition(padColor.count == 3, "a color has three bytes, got \(padColor)")
        self.size = size
        self.resizeMode = resizeMode
        self.filter = filter
        self.cropSize = cropSize ?? size
        self.cropRule = cropRule
        self.mean = mean
        self.standardDeviation = standardDeviation
        self.padColor = padColor
    }

    /// OpenAI's CLIP: shortest edge, bicubic, center crop, CLIP's mean and deviation.
    public static func clip(size: Int) -> ImagePreprocessing {
        ImagePreprocessing(
            size: size, mean: [0.48145466, 0.4578275, 0.40821073],
            standardDeviation: [0.26862954, 0.26130258, 0.27577711])
    }

    /// The resized and cropped image, `cropSize` × `cropSize`.
    public func pixels(_ image: Image) -> Image {
        let (width, height) = resizedSize(image)
        let (left, top) = (cropStart(width), cropStart(height))
        let columns = max(left, 0)..<min(left + cropSize, width)
        let rows = max(top, 0)..<min(top + cropSize, height)
        let whole = Image.Box(left: 0, top: 0, right: Float(image.width), bottom: Float(image.height))
        let inside = image.resized(
            width: width, height: height, filter: filter, box: whole, columns: columns, rows: rows)
        if inside.width == cropSize && inside.height == cropSize { return inside }
        return padded(inside, left: max(-left, 0), top: max(-top, 0))
    }

    /// The normalized image, `[3, cropSize, cropSize]`.
    public func callAsFunction(_ image: Image) -> [Float] {
        let count = 3 * cropSize * cropSize
        return [Float](unsafeUninitializedCapacity: count) { buffer, filled in
            write(image, to: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
            filled = count
        }
    }

    /// Writes the normalized image, `[3, cropSize, cropSize]`, into a buffer of that many floats.
    public func write(_ image: Image, to buffer: UnsafeMutableBufferPointer<Float>) {
        normalize(pixels(image), to: buffer)
    }

    /// Writes an image that has its final size, `(value / 255 − mean) / deviation`, as `[3, height, width]`.
    package func normalize(_ image: Image, to buffer: UnsafeMutableBufferPointer<Float>) {
        let count = image.width * image.height
        precondition(buffer.count == count * 3, "the buffer has \(buffer.count) floats, not \(count * 3)")
        guard let target = buffer.baseAddress else { return }
        let table = normalized
        table.withUnsafeBufferPointer { table in
            image.withPixels { source in
                var pixel = source
                for index in 0..<count {
                    target[index] = table[Int(pixel[0])]
                    target[count + index] = table[256 + Int(pixel[1])]
                    target[2 * count + index] = table[512 + Int(pixel[2])]
                    pixel += 3
                }
            }
        }
    }

    /// The normalized value of each byte, `[3, 256]`.
    private var normalized: [Float] {
        (0..<3).flatMap { channel in
            let (mean, deviation) = (Float(mean[channel]), Float(standardDeviation[channel]))
            return (0..<256).map { (Float($0) / 255 - mean) / deviation }
        }
    }

    private func resizedSize(_ image: Image) -> (width: Int, height: Int) {
        let (short, long) = (min(image.width, image.height), max(image.width, image.height))
        switch resizeMode {
        case .squash:
            return (size, size)
        case .shortestEdge:
            let longer = Int(Double(size * long) / Double(short))
            return image.width <= image.height ? (size, longer) : (longer, size)
        case .longestEdge:
            // open_clip's expression; a sliver keeps one pixel.
            let ratio = Double(long) / Double(size)
            func scaled(_ edge: Int) -> Int { max(1, Int((Double(edge) / ratio).rounded(.toNearestOrEven))) }
            return (scaled(image.width), scaled(image.height))
        }
    }

    /// The start of the crop on an edge of `length` pixels; negative where the edge is padded.
    private func cropStart(_ length: Int) -> Int {
        let margin = length - cropSize
        switch cropRule {
        case .huggingFace: return margin >> 1
        case .torchvision: return margin < 0 ? margin / 2 : Int((Double(margin) / 2).rounded(.toNearestOrEven))
        }
    }

    /// The image on a square of `padColor`.
    private func padded(_ image: Image, left: Int, top: Int) -> Image {
        Image(width: cropSize, height: cropSize) { target in
            for index in 0..<(cropSize * cropSize) {
                for channel in 0..<3 { target[index * 3 + channel] = padColor[channel] }
            }
            image.withPixels { source in
                for row in 0..<image.height {
                    (target + ((top + row) * cropSize + left) * 3).update(
                        from: source + row * image.width * 3, count: image.width * 3)
                }
            }
        }
    }
}
