"""Text → tree, for the five kinds of expression. Trees hold placeholders and are cached by text; nothing here sees a request.

Grammar: "Condition and filter expressions, operators, and functions", "Update expressions" and "Expression attributes" of the DynamoDB
Developer Guide. Keywords are case-insensitive, function names are not.
"""

from __future__ import annotations

from functools import lru_cache

from nearshift.localaws.expressions_tokens import ExpressionError, Token, TokenKind, syntax_error, tokenise
from nearshift.localaws.expressions_tree import (
    Action,
    And,
    Arithmetic,
    Between,
    Call,
    Compare,
    Condition,
    In,
    Not,
    Operand,
    Or,
    Path,
    Placeholder,
    Update,
)
from nearshift.localaws.expressions_words import RESERVED

# The service allows 300 operators or functions in one expression; the bound also bounds our recursion.
OPERATORS_MAX = 300
IN_OPERANDS_MAX = 100
# Ours: three of our calls for each parenthesis stay far below the interpreter's own bound.
DEPTH_MAX = 100
PARSED_MAX = 2000
_COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_AFTER_OPERAND = _COMPARATORS | {"BETWEEN", "IN"}


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenise(text)
        self.index = 0
        self.operator_count = 0
        self.depth = 0
        self.reserved: str | None = None  # told only when the syntax is right, as the service does

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def word(self) -> str:
        """The present token as a keyword or sign; placeholders are never keywords."""
        token = self.token
        return token.text.upper() if token.kind is TokenKind.NAME else token.text

    def take(self, word: str) -> bool:
        if self.token.kind in (TokenKind.NAME, TokenKind.SIGN) and self.word() == word:
            self.index += 1
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise self.unexpected()

    def unexpected(self) -> ExpressionError:
        return syntax_error(self.text, self.tokens, self.index)

    def count_operator(self) -> None:
        self.operator_count += 1
        if self.operator_count > OPERATORS_MAX:
            raise ExpressionError(f"The expression contains too many operators; maximum number of operators: {OPERATORS_MAX}")

    def finish(self) -> None:
        if self.token.kind is not TokenKind.END:
            raise self.unexpected()
        if self.reserved is not None:
            raise ExpressionError(f"Attribute name is a reserved keyword; reserved keyword: {self.reserved}")

    # paths and operands

    def path(self) -> Path:
        parts: list[str | int] = [self.name()]
        while True:
            if self.take("."):
                parts.append(self.name())
            elif self.take("["):
                if self.token.kind is not TokenKind.NUMBER or len(self.token.text) > 9:
                    raise self.unexpected()
                parts.append(int(self.token.text))
                self.index += 1
                self.expect("]")
            else:
                return Path(tuple(parts))

    def name(self) -> str:
        token = self.token
        if token.kind is TokenKind.NAME_PLACEHOLDER:
            self.index += 1
            return token.text
        if token.kind is not TokenKind.NAME:
            raise self.unexpected()
        if self.reserved is None and token.text.upper() in RESERVED:
            self.reserved = token.text
        self.index += 1
        return token.text

    def operand(self) -> Operand:
        token = self.token
        if token.kind is TokenKind.VALUE_PLACEHOLDER:
            self.index += 1
            return Placeholder(token.text)
        if token.kind is TokenKind.NAME and self.tokens[self.index + 1].text == "(":
            return self.call()
        if self.take("("):
            self.count_operator()
            is_doubled = self.token.text == "("
            inner = self.operand()
            self.expect(")")
            if is_doubled:
                raise ExpressionError("The expression has redundant parentheses;")
            return inner
        return self.path()

    def call(self) -> Call:
        self.count_operator()
        name = self.token.text
        self.index += 2
        operands = [self.operand()]
        while self.take(","):
            operands.append(self.operand())
        self.expect(")")
        return Call(name, tuple(operands))

    # conditions

    def condition(self) -> Condition:
        left = self.conjunction()
        while self.take("OR"):
            self.count_operator()
            left = Or(left, self.conjunction())
        return left

    def conjunction(self) -> Condition:
        left = self.negation()
        while self.take("AND"):
            self.count_operator()
            left = And(left, self.negation())
        return left

    def negation(self) -> Condition:
        if self.take("NOT"):
            self.count_operator()
            return Not(self.negation())
        if self.token.text == "(" and not self.is_operand_in_parentheses():
            self.count_operator()
            self.index += 1
            self.depth += 1
            if self.depth > DEPTH_MAX:
                raise ExpressionError(f"The expression is nested too deeply; maximum number of nested parentheses: {DEPTH_MAX}")
            is_doubled = self.token.text == "(" and self.closes_with_the_next(self.index)
            inner = self.condition()
            self.expect(")")
            self.depth -= 1
            if is_doubled:
                raise ExpressionError("The expression has redundant parentheses;")
            return inner
        return self.predicate()

    def is_operand_in_parentheses(self) -> bool:
        """Tell whether the parenthesis holds one operand of a comparison, `(a) = :v`, and not a condition."""
        after = self.tokens[min(self.closing(self.index) + 1, len(self.tokens) - 1)]
        return (after.text.upper() if after.kind is TokenKind.NAME else after.text) in _AFTER_OPERAND

    def closing(self, index: int) -> int:
        """Return the index of the parenthesis that closes the one at `index`, or of the END token."""
        depth = 0
        for found in range(index, len(self.tokens)):
            text = self.tokens[found].text
            depth += (text == "(") - (text == ")")
            if depth == 0:
                return found
        return len(self.tokens) - 1

    def closes_with_the_next(self, index: int) -> bool:
        inner = self.closing(index)
        return self.tokens[min(inner + 1, len(self.tokens) - 1)].text == ")"

    def predicate(self) -> Condition:
        left = self.operand()
        word = self.word()
        if word in _COMPARATORS:
            self.index += 1
            self.count_operator()
            return Compare(word, left, self.operand())
        if self.take("BETWEEN"):
            self.count_operator()
            low = self.operand()
            self.expect("AND")
            return Between(left, low, self.operand())
        if self.take("IN"):
            self.count_operator()
            return In(left, self.choices())
        if isinstance(left, Call):
            return left
        raise self.unexpected()

    def choices(self) -> tuple[Operand, ...]:
        self.expect("(")
        found = [self.operand()]
        while self.take(","):
            found.append(self.operand())
        self.expect(")")
        if len(found) > IN_OPERANDS_MAX:
            detail = f"number of operands: {len(found)}"
            raise ExpressionError(f"The IN operator is provided with too many operands; {detail}")
        return tuple(found)

    # updates

    def updates(self) -> tuple[Update, ...]:
        found: list[Update] = []
        seen: set[Action] = set()
        repeated: Action | None = None
        while self.token.kind is not TokenKind.END:
            word = self.word()
            if self.token.kind is not TokenKind.NAME or word not in Action.__members__:
                raise self.unexpected()
            action = Action[word]
            repeated = action if action in seen else repeated
            seen.add(action)
            self.index += 1
            found.append(self.step(action))
            while self.take(","):
                found.append(self.step(action))
        if repeated is not None and self.reserved is None:
            raise ExpressionError(f'The "{repeated.value}" section can only be used once in an update expression;')
        return tuple(found)

    def step(self, action: Action) -> Update:
        self.count_operator()
        path = self.path()
        if action is Action.REMOVE:
            return Update(action, path, None)
        if action is Action.SET:
            self.expect("=")
            return Update(action, path, self.assigned())
        if self.token.kind is not TokenKind.VALUE_PLACEHOLDER:
            raise self.unexpected()
        self.index += 1
        return Update(action, path, Placeholder(self.tokens[self.index - 1].text))

    def assigned(self) -> Operand:
        if self.token.text == "(" and self.tokens[self.closing(self.index) - 1].text != "(":
            saved = self.index
            self.index += 1
            inner = self.operand()
            if self.word() in ("+", "-"):
                inner = self.arithmetic(inner)
                self.expect(")")
                return inner
            self.index = saved
        left = self.operand()
        return self.arithmetic(left) if self.word() in ("+", "-") else left

    def arithmetic(self, left: Operand) -> Operand:
        operator = self.word()
        self.index += 1
        self.count_operator()
        return Arithmetic(operator, left, self.operand())

    def paths(self) -> tuple[Path, ...]:
        found = [self.path()]
        while self.take(","):
            found.append(self.path())
        return tuple(found)


@lru_cache(PARSED_MAX)
def parse_condition(text: str) -> Condition:
    """Return the tree of a condition, filter or key condition. Raises ExpressionError."""
    parser = _Parser(text)
    found = parser.condition()
    parser.finish()
    return found


@lru_cache(PARSED_MAX)
def parse_updates(text: str) -> tuple[Update, ...]:
    """Return the steps of an update expression in their order. Raises ExpressionError."""
    parser = _Parser(text)
    found = parser.updates()
    parser.finish()
    return found


@lru_cache(PARSED_MAX)
def parse_projection(text: str) -> tuple[Path, ...]:
    """Return the paths of a projection expression. Raises ExpressionError."""
    parser = _Parser(text)
    found = parser.paths()
    parser.finish()
    return found
