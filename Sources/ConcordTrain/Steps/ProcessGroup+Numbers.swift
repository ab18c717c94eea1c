import ConcordCore
import ConcordTensor

extension ProcessGroup {
    /// The sums of numbers over the processes.
    func sum(_ values: [Double]) throws(ConcordError) -> [Double] {
        let tensor = Tensor(values)
        try allReduce(tensor)
        return tensor.scalars(as: Double.self)
    }

    /// The largest of a number of each process.
    func largest(_ value: Int) throws(ConcordError) -> Int {
        let tensor = Tensor([value])
        try allReduce(tensor, .maximum)
        return tensor.scalars(as: Int.self)[0]
    }
}
