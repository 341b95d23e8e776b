/// The random generator of NumPy's `RandomState`, with which MTEB draws training texts.
///
/// Source: Matsumoto and Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform
/// pseudo-random number generator", 1998 (MT19937).
struct MersenneTwister {
    private var state: [UInt32]
    private var place = 624

    /// Creates a generator; equal seeds give equal sequences.
    init(seed: UInt32) {
        state = [seed]
        for index in 1..<624 {
            let last = state[index - 1]
            state.append(1_812_433_253 &* (last ^ (last >> 30)) &+ UInt32(index))
        }
    }

    /// The next 32 random bits.
    mutating func next() -> UInt32 {
        if place == 624 { advance() }
        var bits = state[place]
        place += 1
        bits ^= bits >> 11
        bits ^= (bits << 7) & 0x9D2C_5680
        bits ^= (bits << 15) & 0xEFC6_0000
        return bits ^ (bits >> 18)
    }

    private mutating func advance() {
        for index in 0..<624 {
            let bits = (state[index] & 0x8000_0000) | (state[(index + 1) % 624] & 0x7FFF_FFFF)
            let twist: UInt32 = bits & 1 == 0 ? 0 : 0x9908_B0DF
            state[index] = state[(index + 397) % 624] ^ (bits >> 1) ^ twist
        }
        place = 0
    }

    /// Shuffles a list like `numpy.random.RandomState(seed).shuffle`.
    ///
    /// - Precondition: The list has fewer than 2³² elements.
    mutating func shuffle<Element>(_ list: inout [Element]) {
        for last in list.indices.dropFirst().reversed() {
            let mask = UInt32.max >> UInt32(last).leadingZeroBitCount
            var other = next() & mask
            while other > last { other = next() & mask }
            list.swapAt(last, Int(other))
        }
    }
}
