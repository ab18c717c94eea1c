import Concord

/// A picture of each of 27 colours under noise, in any order, with the colours' numbers.
struct ColourBatch: Sendable {
    static let colours = 27

    let pixels: [Float]
    let numbers: [Int]

    /// The batch with a number; the same number makes the same batch, on whatever thread.
    init(_ index: Int) {
        var random = RandomSource(seed: 7, stream: UInt64(index))
        var numbers = Array(0..<Self.colours), pixels = [Float]()
        random.shuffle(&numbers)
        for number in numbers {
            let colour = [number / 9, number / 3 % 3, number % 3].map { Float($0) / 2 }
            for channel in colour {
                for _ in 0..<64 { pixels.append(channel + 0.5 * Float(random.normal())) }
            }
        }
        self.pixels = pixels
        self.numbers = numbers
    }

    var pictures: Tensor { Tensor(pixels, shape: [Self.colours, 3 * 8 * 8]) }
    var labels: Tensor { Tensor(numbers, shape: [Self.colours]) }
}
