// Written by scripts/generate-ops.py from scripts/ops.txt. Change the table, not this file.
import CTorch
import ConcordCore

extension Tensor {
    /// A new tensor of zeros.
    public static func zeros(
        _ shape: [Int], dtype: DType = .float32, device: Device = .cpu, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("zeros", [], ["size": .ints(shape), "dtype": .dtype(dtype), "device": .device(device)], file, line) {
            ctorch_zeros(shape, shape.count, dtype.code, device.cValue, $0)
        }
    }

    /// A new tensor of ones.
    public static func ones(
        _ shape: [Int], dtype: DType = .float32, device: Device = .cpu, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("ones", [], ["size": .ints(shape), "dtype": .dtype(dtype), "device": .device(device)], file, line) {
            ctorch_ones(shape, shape.count, dtype.code, device.cValue, $0)
        }
    }

    /// A new tensor with `value` everywhere.
    public static func full(
        _ shape: [Int], _ value: Double, dtype: DType = .float32, device: Device = .cpu, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        perform(
            "full", [],
            [
                "size": .ints(shape), "fill_value": .double(value), "dtype": .dtype(dtype), "device": .device(device),
            ], file, line
        ) {
            ctorch_full(shape, shape.count, value, dtype.code, device.cValue, $0)
        }
    }

    /// A new tensor whose elements are not set.
    public static func empty(
        _ shape: [Int], dtype: DType = .float32, device: Device = .cpu, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "empty.memory_format", [],
            ["size": .ints(shape), "dtype": .dtype(dtype), "device": .device(device)], file, line
        ) {
            ctorch_empty_memory_format(shape, shape.count, dtype.code, device.cValue, $0)
        }
    }

    /// The numbers from `start` up to, not including, `end`, `[count]`.
    public static func arange(
        _ start: Double, _ end: Double, step: Double = 1, dtype: DType = .int64, device: Device = .cpu,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "arange.start_step", [],
            [
                "start": .double(start), "end": .double(end), "step": .double(step), "dtype": .dtype(dtype),
                "device": .device(device),
            ], file, line
        ) {
            ctorch_arange_start_step(start, end, step, dtype.code, device.cValue, $0)
        }
    }

    /// The numbers from 0 up to, not including, `end`, `[count]`.
    public static func arange(
        _ end: Double, dtype: DType = .int64, device: Device = .cpu, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("arange", [], ["end": .double(end), "dtype": .dtype(dtype), "device": .device(device)], file, line) {
            ctorch_arange(end, dtype.code, device.cValue, $0)
        }
    }

    /// `count` numbers at equal distances from `start` through `end`.
    public static func linspace(
        _ start: Double, _ end: Double, count: Int, dtype: DType = .float32, device: Device = .cpu,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "linspace", [],
            [
                "start": .double(start), "end": .double(end), "steps": .int(count), "dtype": .dtype(dtype),
                "device": .device(device),
            ], file, line
        ) {
            ctorch_linspace(start, end, count, dtype.code, device.cValue, $0)
        }
    }

    /// The identity matrix `[count, count]`.
    public static func identity(
        _ count: Int, dtype: DType = .float32, device: Device = .cpu, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("eye", [], ["n": .int(count), "dtype": .dtype(dtype), "device": .device(device)], file, line) {
            ctorch_eye(count, dtype.code, device.cValue, $0)
        }
    }

    /// Zeros of the shape, dtype and device of `other`.
    public static func zeros(like other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("zeros_like", [.tensor(other)], [:], file, line) {
            ctorch_zeros_like(other.handle, $0)
        }
    }

    /// Ones of the shape, dtype and device of `other`.
    public static func ones(like other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("ones_like", [.tensor(other)], [:], file, line) {
            ctorch_ones_like(other.handle, $0)
        }
    }

    /// A tensor of the shape, dtype and device of `other` whose elements are not set.
    public static func empty(like other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        perform("empty_like", [.tensor(other)], [:], file, line) {
            ctorch_empty_like(other.handle, $0)
        }
    }

    /// The integers below `count` in random order.
    public static func randomPermutation(
        _ count: Int, generator: Generator?, dtype: DType = .int64, device: Device = .cpu, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        perform(
            "randperm.generator", [],
            [
                "n": .int(count), "generator": .generator(generator), "dtype": .dtype(dtype), "device": .device(device),
            ], file, line
        ) {
            ctorch_randperm_generator(count, generator?.handle, dtype.code, device.cValue, $0)
        }
    }

    /// The Hann window `[count]`.
    public static func hannWindow(
        _ count: Int, periodic: Bool = true, dtype: DType = .float32, device: Device = .cpu,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform(
            "hann_window.periodic", [],
            [
                "window_length": .int(count), "periodic": .bool(periodic), "dtype": .dtype(dtype),
                "device": .device(device),
            ], file, line
        ) {
            ctorch_hann_window_periodic(count, periodic, dtype.code, device.cValue, $0)
        }
    }
}
