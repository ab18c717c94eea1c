import ConcordCore
import Testing

@Suite struct DequeTests {
    /// Against a plain array, through more than one clearing of the places that were taken.
    @Test func elementsComeInTheirOrder() {
        var queue = Deque<Int>(), plain: [Int] = []
        var random = RandomSource(seed: 1, stream: 0)
        for step in 0..<20_000 {
            switch random.next() % 16 {
            // More come than go at first, so that the queue is long, and fewer afterwards.
            case 0..<(step < 10_000 ? 9 : 5):
                queue.append(step)
                plain.append(step)
            case 14:
                queue.prepend(step)
                plain.insert(step, at: 0)
            case 15 where step % 64 == 0:
                queue.removeAll { $0 % 3 == 0 }
                plain.removeAll { $0 % 3 == 0 }
            default: #expect(queue.popFirst() == (plain.isEmpty ? nil : plain.removeFirst()))
            }
            #expect(queue.first == plain.first && queue.count == plain.count && queue.isEmpty == plain.isEmpty)
        }
        while let next = queue.popFirst() { #expect(next == plain.removeFirst()) }
        #expect(plain.isEmpty)
    }

    @Test func whatWasTakenIsLetGo() {
        final class Item: Sendable {}
        var queue = Deque<Item>()
        weak var first: Item?
        do {
            let item = Item()
            first = item
            queue.append(item)
            queue.append(Item())
        }
        #expect(first != nil)
        _ = queue.popFirst()
        #expect(first == nil)
    }
}
