/** A source file as facts: what it imports, names, declares and says. The owner of the TypeScript compiler's parser. */
import ts from 'typescript';

/** `erased`: only types come through it. */
export type Import = { readonly to: string; readonly line: number; readonly erased: boolean };
export type Mention = { readonly name: string; readonly line: number };

export type Source = {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  /** Names used that the file declares nowhere; `Date.UTC` and a Date of a given time read no clock and are left out. */
  readonly globals: readonly Mention[];
  /** Properties read, as `object.property` when the object is a plain name, else `.property`. */
  readonly properties: readonly Mention[];
  /** Constructs by name: async, await, any, enum, namespace, parameter property, export star. */
  readonly constructs: readonly Mention[];
  readonly strings: readonly Mention[];
  /** Functions called by a plain name, with the text of a literal first argument: `spawn:swtpm`. */
  readonly calls: readonly Mention[];
  /** Nothing but imports and re-exports. */
  readonly barrel: boolean;
};

export function readSource(path: string, text: string): Source {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const nodes = [...everyNode(file)];
  const line = (node: ts.Node): number => file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
  const mentions = (name: (node: ts.Node) => string | undefined): Mention[] =>
    nodes.flatMap((node) => {
      const found = name(node);
      return found === undefined ? [] : [{ name: found, line: line(node) }];
    });
  const declared = new Set(nodes.flatMap(declaredNames));
  return {
    path,
    text,
    imports: nodes.flatMap((node) => importOf(node, line(node))),
    globals: mentions((node) => (isUse(node) && !declared.has(node.text) && !isGivenTime(node) ? node.text : undefined)),
    properties: mentions(propertyOf),
    constructs: mentions(constructOf),
    strings: mentions((node) => (ts.isStringLiteralLike(node) ? node.text : undefined)),
    calls: mentions(callOf),
    barrel: file.statements.length > 0 && file.statements.every(passesOn) && file.statements.some(ts.isExportDeclaration),
  };
}

function* everyNode(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of node.getChildren()) yield* everyNode(child);
}

function importOf(node: ts.Node, line: number): Import[] {
  if (
    (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
    node.moduleSpecifier !== undefined &&
    ts.isStringLiteral(node.moduleSpecifier)
  ) {
    return [{ to: node.moduleSpecifier.text, line, erased: isErased(node) }];
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [to] = node.arguments;
    return to !== undefined && ts.isStringLiteralLike(to) ? [{ to: to.text, line, erased: false }] : [];
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    return [{ to: node.argument.literal.text, line, erased: true }];
  }
  return [];
}

function isErased(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  const clause = node.importClause;
  if (clause === undefined) return false;
  const named = clause.namedBindings;
  return (
    clause.phaseModifier === ts.SyntaxKind.TypeKeyword ||
    (clause.name === undefined && named !== undefined && ts.isNamedImports(named) && named.elements.every((one) => one.isTypeOnly))
  );
}

function declaredNames(node: ts.Node): string[] {
  if (ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isBindingElement(node))
    return ts.isIdentifier(node.name) ? [node.name.text] : [];
  if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isTypeAliasDeclaration(node) || ts.isInterfaceDeclaration(node)) {
    return node.name !== undefined && ts.isIdentifier(node.name) && !ts.isMethodDeclaration(node) && !ts.isMethodSignature(node)
      ? [node.name.text]
      : [];
  }
  if (ts.isImportSpecifier(node) || ts.isNamespaceImport(node) || ts.isTypeParameterDeclaration(node)) return [node.name.text];
  return ts.isImportClause(node) && node.name !== undefined ? [node.name.text] : [];
}

/** An identifier that stands for a value or a type, not one that names a property, a label or a declaration. */
function isUse(node: ts.Node): node is ts.Identifier {
  if (!ts.isIdentifier(node)) return false;
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isQualifiedName(parent)) return parent.left === node;
  if (ts.isExportSpecifier(parent) || ts.isImportSpecifier(parent) || ts.isJSDoc(parent) || isInComment(node)) return false;
  const named = parent as { readonly name?: ts.Node; readonly propertyName?: ts.Node };
  return (named.name !== node && named.propertyName !== node) || ts.isShorthandPropertyAssignment(parent);
}

function isGivenTime({ text, parent }: ts.Identifier): boolean {
  if (text !== 'Date') return false;
  if (ts.isPropertyAccessExpression(parent)) return parent.name.text === 'UTC';
  return ts.isNewExpression(parent) && (parent.arguments?.length ?? 0) > 0;
}

function isInComment(node: ts.Node): boolean {
  return ts.isJSDoc(node) || (!ts.isSourceFile(node) && isInComment(node.parent));
}

function propertyOf(node: ts.Node): string | undefined {
  if (!ts.isPropertyAccessExpression(node)) return undefined;
  return `${ts.isIdentifier(node.expression) ? node.expression.text : ''}.${node.name.text}`;
}

function constructOf(node: ts.Node): string | undefined {
  switch (node.kind) {
    case ts.SyntaxKind.AsyncKeyword:
      return 'async';
    case ts.SyntaxKind.AwaitKeyword:
      return 'await';
    case ts.SyntaxKind.AnyKeyword:
      return 'any';
    case ts.SyntaxKind.EnumDeclaration:
      return 'enum';
    case ts.SyntaxKind.ModuleDeclaration:
      return ts.isIdentifier((node as ts.ModuleDeclaration).name) && !(node.flags & ts.NodeFlags.GlobalAugmentation)
        ? 'namespace'
        : undefined;
    case ts.SyntaxKind.Parameter:
      return ts.isParameterPropertyDeclaration(node, node.parent) ? 'parameter property' : undefined;
    case ts.SyntaxKind.ExportDeclaration:
      return (node as ts.ExportDeclaration).exportClause === undefined ? 'export star' : undefined;
    default:
      return undefined;
  }
}

function callOf(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node)) return undefined;
  const [first] = node.arguments;
  if (!ts.isIdentifier(node.expression)) return undefined;
  return `${node.expression.text}:${first !== undefined && ts.isStringLiteralLike(first) ? first.text : ''}`;
}

function passesOn(statement: ts.Statement): boolean {
  return ts.isImportDeclaration(statement) || (ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined);
}
