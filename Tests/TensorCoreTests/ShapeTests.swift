import TensorCore
import Testing

@Test func shapesMultiplyWithinTheLimit() throws {
  #expect(try Shape([2, 3, 4]).count == 24)
  #expect(try Shape([2, 3, 4]).strides == [12, 4, 1])
  #expect(throws: ModelError.self) { try Shape([1 << 40, 1 << 40]) }
  #expect(throws: ModelError.self) { try Shape([-1]) }
}

@Test func shapesBroadcastAtTheLastAxis() throws {
  let a = try Shape([2, 1, 4])
  let b = try Shape([3, 1])
  #expect(try Shape.broadcast(a, b).dimensions == [2, 3, 4])
  #expect(throws: ModelError.self) { try Shape.broadcast(Shape([2]), Shape([3])) }
}

@Test(arguments: ElementType.allCases)
func everyElementTypeKeepsSmallIntegers(element: ElementType) throws {
  let values: [Int64] = element == .bool ? [0, 1] : [0, 1, 7]
  let tensor = Tensor(element, try Shape([values.count]), integers: values)
  #expect(tensor.integers() == values)
  #expect(tensor.doubles() == values.map { Double($0) })
}
