//! Text to a typed tree, by recursive descent; and what could stand where a text ends.

use world::Errno;

use super::paths::{COUNTERS, KINDS, Kind, functions, probes};
use super::{Calls, ExprError, Node, Object, Op, Target, Type, Who};
use crate::scenario::{Reason, reason};

/// The longest text, so that no tree is deep.
const LENGTH_MAX: usize = 400;
/// The deepest nesting of brackets and signs.
const DEPTH_MAX: u32 = 32;

/// What could stand at a place.
#[derive(Clone, Debug)]
pub(super) enum Want {
    /// A value of any kind.
    Operand,
    /// A field of an object; of an inode, also its pages.
    Field(Kind),
    /// An index of an object that is not yet whole.
    Index(Object),
    /// A local of a function.
    Local(u16),
    /// The name of a function or a system call.
    Target,
    /// A name of this type.
    Name(Type),
}

pub(super) struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
    event: bool,
    calls: &'a Calls,
    /// What could stand where the text ends, and where its last word begins.
    pub(super) wanted: Option<(usize, Want)>,
}

type Typed = (Node, Type);

/// Binary operators by how tightly they bind, longer ones first.
const LEVELS: [&[(&str, Op)]; 5] = [
    &[("||", Op::Or)],
    &[("&&", Op::And)],
    &[("==", Op::Eq), ("!=", Op::Ne), ("<=", Op::Le), (">=", Op::Ge), ("<", Op::Lt), (">", Op::Gt)],
    &[("+", Op::Add), ("-", Op::Sub)],
    &[("*", Op::Mul), ("/", Op::Div), ("%", Op::Rem), ("&", Op::Bits)],
];

/// Words of the language that are values by themselves.
pub(super) const WORDS: [&str; 9] = ["true", "false", "in", "enter", "step", "probe", "function", "call", "bdev"];

/// Reads a whole text: its tree, its type, and whether it asks what ended the step.
pub(super) fn whole(text: &str, calls: &Calls) -> Result<(Node, Type, bool), ExprError> {
    let mut parser = Parser::new(text, calls);
    let (node, ty) = parser.all()?;
    Ok((node, ty, parser.event))
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, calls: &'a Calls) -> Self {
        Parser { text, at: 0, depth: 0, event: false, calls, wanted: None }
    }

    pub(super) fn all(&mut self) -> Result<Typed, ExprError> {
        if self.text.len() > LENGTH_MAX {
            self.at = LENGTH_MAX;
            while !self.text.is_char_boundary(self.at) {
                self.at -= 1;
            }
            return Err(self.expected(reason!("at most {} bytes", LENGTH_MAX)));
        }
        let typed = self.level(0)?;
        self.blanks();
        if self.at < self.text.len() { Err(self.expected("an operator or the end")) } else { Ok(typed) }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn expected(&self, expected: impl Into<Reason>) -> ExprError {
        self.expected_at(self.at, expected)
    }

    fn expected_at(&self, at: usize, expected: impl Into<Reason>) -> ExprError {
        let rest = &self.text[at..];
        let word = rest.len() - rest.trim_start_matches(is_word).len();
        let len = if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) };
        let found = if len == 0 { "the end".into() } else { reason!("`{}`", rest[..len].to_owned()) };
        ExprError { at: self.text[..at].chars().count(), expected: expected.into(), found }
    }

    fn eat(&mut self, sign: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    fn need(&mut self, sign: &str) -> Result<(), ExprError> {
        if self.eat(sign) { Ok(()) } else { Err(self.expected(reason!("`{}`", sign.to_owned()))) }
    }

    /// The word that stands here, if one does; and what could stand instead, if the text ends with it.
    fn word(&mut self, want: Want) -> &'a str {
        self.blanks();
        let rest = self.rest();
        let len = rest.len() - rest.trim_start_matches(is_word).len();
        if len == rest.len() {
            self.wanted = Some((self.at, want));
        }
        self.at += len;
        &rest[..len]
    }

    fn operator(&mut self, level: usize) -> Option<Op> {
        self.blanks();
        let rest = self.rest();
        // `&` is not half of `&&`.
        let found = LEVELS[level].iter().find(|(sign, _)| rest.starts_with(sign));
        let &(sign, op) = found.filter(|(sign, _)| *sign != "&" || !rest.starts_with("&&"))?;
        self.at += sign.len();
        Some(op)
    }

    fn level(&mut self, level: usize) -> Result<Typed, ExprError> {
        if level == LEVELS.len() {
            return self.unary();
        }
        let start = self.at;
        let mut left = self.level(level + 1)?;
        while let Some(op) = self.operator(level) {
            let right_at = self.at;
            let compares = matches!(op, Op::Eq | Op::Ne);
            let named = compares && matches!(left.1, Type::Probe | Type::Function | Type::Call);
            let right = if named { self.name(left.1)? } else { self.level(level + 1)? };
            let wanted = match op {
                Op::Or | Op::And => Type::Bool,
                Op::Eq | Op::Ne => left.1,
                _ => Type::Int,
            };
            self.must(start, left.1, wanted)?;
            self.must(right_at, right.1, wanted)?;
            let gives = if matches!(op, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem | Op::Bits) {
                Type::Int
            } else {
                Type::Bool
            };
            left = (Node::Two(op, Box::new(left.0), Box::new(right.0)), gives);
        }
        Ok(left)
    }

    /// What begins at `at` has the type that is wanted there.
    fn must(&self, at: usize, found: Type, wanted: Type) -> Result<(), ExprError> {
        if found == wanted {
            return Ok(());
        }
        let at = at + (self.text[at..].len() - self.text[at..].trim_start().len());
        Err(ExprError {
            at: self.text[..at].chars().count(),
            expected: wanted.words().into(),
            found: found.words().into(),
        })
    }

    fn unary(&mut self) -> Result<Typed, ExprError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.expected("less nesting"));
        }
        self.blanks();
        let start = self.at;
        let typed = if self.rest().starts_with('!') {
            self.at += 1;
            let (node, ty) = self.unary()?;
            self.must(start + 1, ty, Type::Bool)?;
            (Node::Not(Box::new(node)), ty)
        } else if self.eat("-") {
            let (node, ty) = self.unary()?;
            self.must(start + 1, ty, Type::Int)?;
            (Node::Neg(Box::new(node)), ty)
        } else if self.eat("(") {
            let typed = self.level(0)?;
            self.need(")")?;
            typed
        } else {
            self.operand()?
        };
        self.depth -= 1;
        Ok(typed)
    }

    fn operand(&mut self) -> Result<Typed, ExprError> {
        self.blanks();
        let start = self.at;
        let word = self.word(Want::Operand);
        if word.starts_with(|letter: char| letter.is_ascii_digit()) {
            return self.number(start, word);
        }
        let next = self.rest().trim_start().chars().next();
        if word == "bdev" {
            self.need(".")?;
            return self.member(Who::Device);
        }
        if let Some(&(_, kind, least, most)) = KINDS.iter().find(|row| row.0 == word)
            && (next == Some('[') || (least == 0 && next == Some('.')))
        {
            return self.object(kind, Who::Focus, least, most);
        }
        let typed = match word {
            "true" => (Node::Const(1), Type::Bool),
            "false" => (Node::Const(0), Type::Bool),
            "step" => (Node::Step, Type::Int),
            "probe" => {
                self.event = true;
                (Node::Probe, Type::Probe)
            }
            "function" => (Node::Function, Type::Function),
            "call" => (Node::Call, Type::Call),
            "in" => (Node::In(self.target()?), Type::Bool),
            "enter" => {
                self.event = true;
                (Node::Enter(self.target()?), Type::Bool)
            }
            _ => return self.named(start, word, next),
        };
        Ok(typed)
    }

    fn number(&self, start: usize, word: &str) -> Result<Typed, ExprError> {
        let (digits, unit) = match word.as_bytes().last() {
            Some(b'K') => (&word[..word.len() - 1], 1 << 10),
            Some(b'M') => (&word[..word.len() - 1], 1 << 20),
            _ => (word, 1),
        };
        let value = match digits.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        };
        let value = value.and_then(|value| value.checked_mul(unit));
        value.map(|value| (Node::Const(value), Type::Int)).ok_or_else(|| self.expected_at(start, "a number"))
    }

    /// An error number, a counter, a local, or a function and its local.
    fn named(&mut self, start: usize, word: &str, next: Option<char>) -> Result<Typed, ExprError> {
        if let Some(errno) = Errno::ALL.into_iter().find(|errno| format!("{errno:?}") == word) {
            return Ok((Node::Const(errno.number()), Type::Int));
        }
        if let Some(&(_, counter)) = COUNTERS.iter().find(|(name, _)| *name == word) {
            return Ok((Node::Counter(counter), Type::Int));
        }
        let function = functions().find(|function| function.name == word).filter(|_| next == Some('.'));
        if let Some(function) = function {
            self.need(".")?;
            self.blanks();
            let start = self.at;
            let name = self.word(Want::Local(function.id));
            let local = function.locals.iter().find(|local| local.name == name);
            let local =
                local.ok_or_else(|| self.expected_at(start, reason!("a local of `{}`", function.name.to_owned())))?;
            return Ok((Node::Local(Some(function.id), local.name), type_of(local.name, Some(function.id))));
        }
        let local = functions().flat_map(|function| function.locals).find(|local| local.name == word);
        let local = local.ok_or_else(|| self.expected_at(start, "a value"))?;
        Ok((Node::Local(None, local.name), type_of(local.name, None)))
    }

    /// Indices, and what of the object is wanted.
    fn object(&mut self, kind: Kind, who: Who, least: usize, most: usize) -> Result<Typed, ExprError> {
        let mut object = Object { kind, who, index: Vec::new() };
        while object.index.len() < most && (object.index.len() < least || self.rest().trim_start().starts_with('[')) {
            self.need("[")?;
            object.index.push(self.index(&object)?);
            self.need("]")?;
        }
        self.need(".")?;
        if kind == Kind::Inode {
            let who = object.index.pop().map_or(Who::Focus, |ino| Who::Ino(Box::new(ino)));
            return self.member(who);
        }
        self.field(object)
    }

    /// A page, a buffer, an extent or a field of an inode.
    fn member(&mut self, who: Who) -> Result<Typed, ExprError> {
        self.blanks();
        let start = self.at;
        let word = self.word(Want::Field(Kind::Inode));
        let part = KINDS.iter().find(|row| row.0 == word);
        if let Some(&(_, kind @ (Kind::Page | Kind::Bh | Kind::Extent), least, most)) = part {
            return self.object(kind, who, least, most);
        }
        self.at = start;
        self.field(Object { kind: Kind::Inode, who, index: Vec::new() })
    }

    fn index(&mut self, object: &Object) -> Result<Node, ExprError> {
        self.blanks();
        let start = self.at;
        let word = self.word(Want::Index(object.clone()));
        if object.kind == Kind::Task && word.starts_with(|letter: char| !letter.is_ascii_digit()) {
            return Ok(Node::TaskNamed(word.to_owned()));
        }
        let wanted = self.wanted.take();
        self.at = start;
        let typed = self.level(0);
        self.wanted = wanted.or(self.wanted.take());
        let (node, ty) = typed?;
        self.must(start, ty, Type::Int)?;
        Ok(node)
    }

    fn field(&mut self, object: Object) -> Result<Typed, ExprError> {
        self.blanks();
        let start = self.at;
        let (kind, word) = (object.kind, self.word(Want::Field(object.kind)));
        if word == "present" {
            return Ok((Node::There(object), Type::Bool));
        }
        if kind == Kind::Page && word == "byte" {
            self.need("[")?;
            let at = self.at;
            let (n, ty) = self.level(0)?;
            self.must(at, ty, Type::Int)?;
            self.need("]")?;
            return Ok((Node::Byte(object, Box::new(n)), Type::Int));
        }
        if let Some(field) = kind.fields().iter().find(|field| field.name == word) {
            return Ok((Node::Field(object, field.get), field.ty));
        }
        match kind.flags().into_iter().find(|(name, _)| name == word) {
            Some((_, bit)) => Ok((Node::Flag(object, bit), Type::Bool)),
            None => Err(self.expected_at(start, reason!("a field of `{}`", kind.name().to_owned()))),
        }
    }

    fn target(&mut self) -> Result<Target, ExprError> {
        self.need("(")?;
        self.blanks();
        let start = self.at;
        let word = self.word(Want::Target);
        let call = self.calls.names.iter().position(|name| *name == word).map(Target::Call);
        let function = functions().find(|function| function.name == word).map(|one| Target::Function(one.id));
        let target = call.or(function);
        let target = target.ok_or_else(|| self.expected_at(start, "a function or a system call of the program"))?;
        self.need(")")?;
        Ok(target)
    }

    /// A name of this type.
    fn name(&mut self, ty: Type) -> Result<Typed, ExprError> {
        self.blanks();
        let start = self.at;
        let word = self.word(Want::Name(ty));
        let value = match ty {
            Type::Probe => probes().find(|(name, _)| *name == word).map(|(_, id)| id.into()),
            Type::Function => functions().find(|one| one.name == word).map(|one| one.id.into()),
            _ => self.calls.names.iter().position(|name| *name == word).and_then(|n| i64::try_from(n).ok()),
        };
        value.map(|value| (Node::Const(value), ty)).ok_or_else(|| self.expected_at(start, ty.words()))
    }
}

fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_ascii_alphanumeric()
}

/// The type of a local: of one function's, or of all of that name.
fn type_of(name: &str, function: Option<u16>) -> Type {
    let mut all = functions().filter(|one| function.is_none_or(|id| id == one.id)).flat_map(|one| one.locals);
    if all.any(|local| local.name == name && local.ty != kernel::site::Ty::Bool) { Type::Int } else { Type::Bool }
}
