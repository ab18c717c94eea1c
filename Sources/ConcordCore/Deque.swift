/// A queue whose front goes without moving all others each time.
package struct Deque<Element> {
    /// Nil for what was taken; its place goes later.
    private var elements: [Element?] = []
    private var taken = 0

    package init() {}

    package var isEmpty: Bool { taken == elements.count }
    package var count: Int { elements.count - taken }
    package var first: Element? { isEmpty ? nil : elements[taken] }

    package mutating func append(_ element: Element) { elements.append(element) }

    package mutating func prepend(_ element: Element) {
        if taken > 0 {
            taken -= 1
            elements[taken] = element
        } else {
            elements.insert(element, at: 0)
        }
    }

    package mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        let element = elements[taken]
        elements[taken] = nil
        taken += 1
        if taken == elements.count || taken >= 1024 {
            elements.removeFirst(taken)
            taken = 0
        }
        return element
    }

    package mutating func removeAll(where isGone: (Element) -> Bool) {
        elements = elements[taken...].filter { element in element.map { !isGone($0) } ?? false }
        taken = 0
    }
}
