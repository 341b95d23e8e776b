import Tensors
import Testing

@testable import Tokenizers

@Suite struct MergeTableTests {
    /// Repeatedly merges the leftmost pair of the lowest rank, according to the definition.
    private func bruteForce(_ word: [Int32], _ merges: [MergeTable.Merge]) -> [Int32] {
        var word = word
        while true {
            var best: (rank: Int, position: Int)?
            for position in word.indices.dropLast() {
                let rank = merges.firstIndex {
                    $0.left == word[position] && $0.right == word[position + 1]
                }
                guard let rank else { continue }
                if best == nil || rank < best!.rank { best = (rank, position) }
            }
            guard let best else { return word }
            word.replaceSubrange(
                best.position...best.position + 1, with: [merges[best.rank].joined])
        }
    }

    @Test(
        "merging agrees with the definition for random merges", arguments: 0..<40 as Range<UInt64>)
    func definition(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var merges: [MergeTable.Merge] = []
        var pairs: Set<[Int32]> = []
        for joined in 4..<24 as Range<Int32> {
            let pair = (0..<2).map { _ in Int32.random(in: 0..<joined, using: &random) }
            guard pairs.insert(pair).inserted else { continue }
            merges.append(.init(left: pair[0], right: pair[1], joined: joined))
        }
        merges.shuffle(using: &random)
        let table = MergeTable(merges)
        for length in 0..<60 {
            let word = (0..<length).map { _ in Int32.random(in: 0..<4, using: &random) }
            #expect(table.merge(word) == bruteForce(word, merges))
        }
    }
}
