import Profiling
import Testing

@Suite("Interleaver")
struct InterleaverTests {
    @Test(
        "every round times each item once, and every block times the reference once",
        arguments: [0, 1, 8, 9, 50])
    func complete(count: Int) {
        var interleaver = Interleaver(itemsPerBlock: 8, seed: 1)
        for _ in 0..<5 {
            let blocks = interleaver.nextRound(of: 0..<count)
            #expect(blocks.count == (count + 7) / 8)
            for block in blocks { #expect(block.count { $0 == .reference } == 1) }
            let items = blocks.joined().filter { $0 != .reference }
            #expect(items.count == count)
            #expect(Set(items) == Set((0..<count).map(MeasurementStep.item)))
        }
    }

    @Test("equal seeds give equal orders, and the order changes between rounds")
    func seeded() {
        var first = Interleaver(seed: 5)
        var second = Interleaver(seed: 5)
        let round = first.nextRound(of: 0..<30)
        #expect(second.nextRound(of: 0..<30) == round)
        #expect(first.nextRound(of: 0..<30) != round)
    }

    @Test("every item and the reference are as often early as late in a round")
    func uniform() {
        var interleaver = Interleaver(itemsPerBlock: 4, seed: 3)
        var places = [Int](repeating: 0, count: 4)
        var references = 0
        for _ in 0..<4000 {
            let block = interleaver.nextRound(of: 0..<4)[0]
            let items = block.filter { $0 != .reference }
            for (place, step) in items.enumerated() where step == .item(0) { places[place] += 1 }
            references += block.firstIndex(of: .reference) ?? 0
        }
        for count in places { #expect(abs(count - 1000) < 150) }
        #expect(abs(references - 8000) < 500)
    }
}
