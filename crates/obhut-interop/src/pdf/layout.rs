//! Pages out of headings, paragraphs and tables: lines are broken and placed here, and each piece of text knows its place in the tag tree.
//!
//! A page is gathered as strokes of text and drawn when it is full, because the PDF library lends a page out only while it is drawn.

use crate::dossier::Language;
use crate::time::Civil;
use crate::{CopyError, limits, text};
use krilla::configure::{Accessibility, Archival, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::Point;
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, Node, SpanTag, TableHeaderScope, Tag, TagGroup, TagKind, TagTree,
};
use krilla::text::{Font, TextDirection};
use krilla::{Document, SerializeSettings};
use std::num::NonZeroU16;

const WIDTH: f32 = 595.28;
const HEIGHT: f32 = 841.89;
const MARGIN: f32 = 54.0;
const BOTTOM: f32 = HEIGHT - 62.0;
const INNER: f32 = WIDTH - 2.0 * MARGIN;
const BODY: f32 = 9.0;
/// Line height as a multiple of the size.
const LEADING: f32 = 1.4;
/// Between columns.
const GUTTER: f32 = 8.0;

/// Regular and bold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Face {
    Regular,
    Bold,
}

/// A font with the widths of its glyphs.
struct Loaded {
    font: Font,
    face: ttf_parser::Face<'static>,
}

impl Loaded {
    fn new(bytes: &'static [u8]) -> Result<Self, CopyError> {
        let font = Font::new(bytes.into(), 0).ok_or_else(|| CopyError::Pdf("the font is damaged".to_owned()))?;
        let face = ttf_parser::Face::parse(bytes, 0).map_err(|error| CopyError::Pdf(error.to_string()))?;
        Ok(Self { font, face })
    }

    fn has(&self, c: char) -> bool {
        self.face.glyph_index(c).is_some()
    }

    /// Width in points; without kerning, which only makes a line narrower.
    fn width(&self, text: &str, size: f32) -> f32 {
        let units: f32 = text
            .chars()
            .filter_map(|c| self.face.glyph_index(c))
            .filter_map(|glyph| self.face.glyph_hor_advance(glyph))
            .map(f32::from)
            .sum();
        units * size / f32::from(self.face.units_per_em())
    }
}

/// A node of the tag tree while it grows.
struct Branch {
    kind: TagKind,
    children: Vec<Child>,
}

enum Child {
    Branch(usize),
    Leaf(Identifier),
}

/// Text to be drawn on the page being gathered.
struct Stroke {
    x: f32,
    y: f32,
    size: f32,
    face: Face,
    text: String,
    /// Its place in the tree; `None` for what only repeats, as a table's head on the next page.
    owner: Option<usize>,
}

/// The document being made.
pub(super) struct Sheet {
    document: Document,
    regular: Loaded,
    bold: Loaded,
    branches: Vec<Branch>,
    roots: Vec<usize>,
    strokes: Vec<Stroke>,
    /// Baseline of the last line.
    y: f32,
    pages: usize,
    headings: Vec<(String, usize, f32)>,
    language: Language,
    title: String,
    page_word: &'static str,
}

impl Sheet {
    pub(super) fn new(language: Language, title: &str, page_word: &'static str) -> Result<Self, CopyError> {
        let configuration = ConfigurationBuilder::new()
            .with_archival_validator(Archival::A2_A)
            .with_accessibility_validator(Accessibility::UA1)
            .finish()
            .map_err(|error| CopyError::Pdf(format!("{error:?}")))?;
        let settings = SerializeSettings { configuration, enable_tagging: true, ..SerializeSettings::default() };
        Ok(Self {
            document: Document::new_with(settings),
            regular: Loaded::new(dejavu::sans::regular())?,
            bold: Loaded::new(dejavu::sans::bold())?,
            branches: Vec::new(),
            roots: Vec::new(),
            strokes: Vec::new(),
            y: MARGIN,
            pages: 0,
            headings: Vec::new(),
            language,
            title: title.to_owned(),
            page_word,
        })
    }

    fn loaded(&self, face: Face) -> &Loaded {
        match face {
            Face::Regular => &self.regular,
            Face::Bold => &self.bold,
        }
    }

    /// A new node below `parent`, or at the root.
    fn branch(&mut self, parent: Option<usize>, kind: impl Into<TagKind>) -> usize {
        let at = self.branches.len();
        self.branches.push(Branch { kind: kind.into(), children: Vec::new() });
        match parent.and_then(|parent| self.branches.get_mut(parent)) {
            Some(parent) => parent.children.push(Child::Branch(at)),
            None => self.roots.push(at),
        }
        at
    }

    /// Breaks `text` into lines of at most `width`, at blanks where possible.
    fn lines(&self, text: &str, face: Face, size: f32, width: f32) -> Vec<String> {
        let font = self.loaded(face);
        let clean = text::shown(text, limits::PDF_TEXT_MAX, |c| font.has(c));
        let mut lines = Vec::new();
        let mut line = String::new();
        let mut used = 0.0;
        let blank = font.width(" ", size);
        for word in clean.split(' ').filter(|word| !word.is_empty()) {
            let wide = font.width(word, size);
            if !line.is_empty() && used + blank + wide > width {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            if !line.is_empty() {
                line.push(' ');
                used += blank;
            }
            if used + wide <= width {
                line.push_str(word);
                used += wide;
                continue;
            }
            // A word wider than the column is broken where it must be.
            for c in word.chars() {
                let one = font.width(c.encode_utf8(&mut [0; 4]), size);
                if used + one > width && !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                    used = 0.0;
                }
                line.push(c);
                used += one;
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        lines
    }

    /// Makes room for `height`; a new page if there is none. Says whether it was.
    fn ensure(&mut self, height: f32) -> Result<bool, CopyError> {
        if self.y + height <= BOTTOM || self.strokes.is_empty() {
            return Ok(false);
        }
        self.flush()?;
        Ok(true)
    }

    fn stroke(&mut self, x: f32, size: f32, face: Face, text: String, owner: Option<usize>) {
        self.strokes.push(Stroke { x, y: self.y, size, face, text, owner });
    }

    pub(super) fn heading(&mut self, level: u16, text: &str) -> Result<(), CopyError> {
        let size = match level {
            1 => 18.0,
            2 => 12.5,
            _ => 10.0,
        };
        let lines = self.lines(text, Face::Bold, size, INNER);
        // A heading is not left alone at the foot of a page.
        self.ensure(size * LEADING * lines.len() as f32 + size * 1.2 + 4.0 * BODY * LEADING)?;
        self.y += if self.strokes.is_empty() { 0.0 } else { size * 0.9 };
        let title = lines.join(" ");
        let level = NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN);
        let owner = self.branch(None, Tag::Hn(level, Some(title.clone())));
        if level.get() <= 2 {
            self.headings.push((title, self.pages, self.y));
        }
        for line in lines {
            self.y += size * LEADING;
            self.stroke(MARGIN, size, Face::Bold, line, Some(owner));
        }
        self.y += size * 0.3;
        Ok(())
    }

    pub(super) fn paragraph(&mut self, text: &str) -> Result<(), CopyError> {
        let lines = self.lines(text, Face::Regular, BODY, INNER);
        let owner = self.branch(None, Tag::P);
        let count = lines.len();
        for (at, mut line) in lines.into_iter().enumerate() {
            self.ensure(BODY * LEADING)?;
            self.y += BODY * LEADING;
            if at + 1 < count {
                line.push(' ');
            }
            self.stroke(MARGIN, BODY, Face::Regular, line, Some(owner));
        }
        self.y += BODY * 0.6;
        Ok(())
    }

    /// Names and what they are: a table whose heads stand at the side.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) -> Result<(), CopyError> {
        let table = self.branch(None, Tag::Table);
        for (name, fact) in facts {
            let row = self.branch(Some(table), Tag::TR);
            let head = self.branch(Some(row), Tag::TH(TableHeaderScope::Row));
            let cell = self.branch(Some(row), Tag::TD);
            let cells = [
                (MARGIN, self.lines(name, Face::Bold, BODY, INNER * 0.3 - GUTTER), Face::Bold, Some(head)),
                (MARGIN + INNER * 0.3, self.lines(fact, Face::Regular, BODY, INNER * 0.7), Face::Regular, Some(cell)),
            ];
            self.row(cells.into())?;
        }
        self.y += BODY * 0.6;
        Ok(())
    }

    /// A table with a head row; `columns` are names and shares of the width.
    pub(super) fn table(&mut self, columns: &[(&str, f32)], rows: &[Vec<String>]) -> Result<(), CopyError> {
        let table = self.branch(None, Tag::Table);
        let head = self.branch(Some(table), Tag::TR);
        let mut x = MARGIN;
        let mut places = Vec::new();
        for (_, share) in columns {
            places.push((x, INNER * share - GUTTER));
            x += INNER * share;
        }
        let heads: Vec<usize> =
            columns.iter().map(|_| self.branch(Some(head), Tag::TH(TableHeaderScope::Column))).collect();
        let head_cells = |sheet: &Self, owned: bool| -> Vec<Cell> {
            columns
                .iter()
                .zip(&places)
                .zip(&heads)
                .map(|(((name, _), (x, width)), owner)| {
                    (*x, sheet.lines(name, Face::Bold, BODY, *width), Face::Bold, owned.then_some(*owner))
                })
                .collect()
        };
        let first = head_cells(self, true);
        self.ensure(BODY * LEADING * 3.0)?;
        self.row(first)?;
        for row in rows {
            let owner = self.branch(Some(table), Tag::TR);
            let mut cells = Vec::with_capacity(row.len());
            for (text, (x, width)) in row.iter().zip(&places) {
                let cell = self.branch(Some(owner), Tag::TD);
                cells.push((*x, self.lines(text, Face::Regular, BODY, *width), Face::Regular, Some(cell)));
            }
            let height = cells.iter().map(|(_, lines, ..)| lines.len()).max().unwrap_or(0) as f32 * BODY * LEADING;
            if self.ensure(height.min((BOTTOM - MARGIN) / 2.0))? {
                let again = head_cells(self, false);
                self.row(again)?;
            }
            self.row(cells)?;
        }
        self.y += BODY * 0.6;
        Ok(())
    }

    /// Draws the cells of one row line by line, so that a row longer than a page goes on on the next.
    fn row(&mut self, cells: Vec<Cell>) -> Result<(), CopyError> {
        let height = cells.iter().map(|(_, lines, ..)| lines.len()).max().unwrap_or(0);
        for line in 0..height {
            self.ensure(BODY * LEADING)?;
            self.y += BODY * LEADING;
            for (x, lines, face, owner) in &cells {
                if let Some(text) = lines.get(line) {
                    let mut text = text.clone();
                    if line + 1 < lines.len() {
                        text.push(' ');
                    }
                    self.stroke(*x, BODY, *face, text, *owner);
                }
            }
        }
        self.y += BODY * 0.35;
        Ok(())
    }

    /// Draws the page gathered so far and begins a new one.
    fn flush(&mut self) -> Result<(), CopyError> {
        let settings =
            PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| CopyError::Pdf("the page has no size".to_owned()))?;
        let mut page = self.document.start_page_with(settings);
        let mut surface = page.surface();
        for Stroke { x, y, size, face, text, owner } in self.strokes.drain(..) {
            let font = match face {
                Face::Regular => &self.regular.font,
                Face::Bold => &self.bold.font,
            };
            let tag = match owner {
                Some(_) => ContentTag::Span(SpanTag::empty()),
                None => ContentTag::Artifact(Artifact::with_kind(ArtifactType::PaginationOther)),
            };
            let identifier = surface.start_tagged(tag);
            surface.draw_text(Point::from_xy(x, y), font.clone(), size, &text, false, TextDirection::Auto);
            surface.end_tagged();
            if let Some(owner) = owner.and_then(|owner| self.branches.get_mut(owner)) {
                owner.children.push(Child::Leaf(identifier));
            }
        }
        self.pages += 1;
        surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Footer)));
        surface.draw_text(
            Point::from_xy(MARGIN, HEIGHT - 36.0),
            self.regular.font.clone(),
            7.5,
            &format!("{} · {} {}", self.title, self.page_word, self.pages),
            false,
            TextDirection::Auto,
        );
        surface.end_tagged();
        surface.finish();
        page.finish();
        self.y = MARGIN;
        Ok(())
    }

    /// Draws the last page and gives the file.
    pub(super) fn finish(mut self, made: &Civil, author: &str) -> Result<Vec<u8>, CopyError> {
        if !self.strokes.is_empty() || self.pages == 0 {
            self.flush()?;
        }
        let mut outline = Outline::new();
        for (title, page, y) in &self.headings {
            let place = XyzDestination::new(*page, Point::from_xy(MARGIN, *y));
            outline.push_child(OutlineNode::new(title.clone(), place));
        }
        self.document.set_outline(outline);
        let offset = made.offset;
        let date = DateTime::new(u16::try_from(made.year).unwrap_or(0))
            .month(made.month)
            .day(made.day)
            .hour(made.hour)
            .minute(made.minute)
            .second(made.second)
            .utc_offset_hour(i8::try_from(offset / 60).unwrap_or(0))
            .utc_offset_minute(u8::try_from((offset % 60).unsigned_abs()).unwrap_or(0));
        let author = text::shown(author, 500, |_| true);
        self.document.set_metadata(
            Metadata::new()
                .title(self.title.clone())
                .language(self.language.pdf_tag().to_owned())
                .creator("Obhut".to_owned())
                .authors(vec![author])
                .creation_date(date),
        );
        let mut tree = TagTree::new().with_lang(Some(self.language.pdf_tag().to_owned()));
        let mut branches: Vec<Option<Branch>> = self.branches.into_iter().map(Some).collect();
        for root in self.roots {
            if let Some(group) = group(&mut branches, root) {
                tree.push(group);
            }
        }
        self.document.set_tag_tree(tree);
        self.document.finish().map_err(|error| CopyError::Pdf(format!("{error:?}")))
    }
}

/// Where, which lines, how, whose.
type Cell = (f32, Vec<String>, Face, Option<usize>);

/// Turns a branch and what hangs on it into the library's group. The tree is four deep (table, row, cell, text).
fn group(branches: &mut [Option<Branch>], at: usize) -> Option<TagGroup> {
    let Branch { kind, children } = branches.get_mut(at)?.take()?;
    let mut group = TagGroup::new(kind);
    for child in children {
        match child {
            Child::Branch(at) => {
                if let Some(below) = self::group(branches, at) {
                    group.push(Node::Group(below));
                }
            }
            Child::Leaf(identifier) => group.push(Node::Leaf(identifier)),
        }
    }
    Some(group)
}
