// Writes docs/openapi.yaml as Markdown for people: api.mjs openapi.yaml >API.md
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

// Integers past 2^53 are as they stand.
const api = parse(readFileSync(process.argv[2], 'utf8'), { intAsBigInt: true });
const out = [];
const say = (...lines) => out.push(...lines, '');

const resolve = (part) =>
  part?.$ref ? part.$ref.slice(2).split('/').reduce((at, name) => at[name.replaceAll('~1', '/').replaceAll('~0', '~')], api) : part;
const json = (value, indent) => JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? JSON.rawJSON?.(String(part)) ?? Number(part) : part), indent);
// A blank line between paragraphs, which YAML folds into the end of a line.
const paragraphs = (text) => text.trim().replaceAll(/\n+/g, '\n\n');
const cell = (text) => String(text ?? '').trim().replaceAll(/\s+/g, ' ').replaceAll('|', '\\|');
const code = (value) => `\`${typeof value === 'string' ? value : json(value)}\``;

function range(least, most, unit) {
  if (least !== undefined && most !== undefined) return [`${least} to ${most}${unit}`];
  if (least !== undefined) return [`at least ${least}${least === 1n ? unit.replace(/s$/, '') : unit}`];
  return most !== undefined ? [`at most ${most}${unit}`] : [];
}

/** A schema in a few words. */
function kind(given) {
  const schema = resolve(given);
  if (!schema) return '';
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(', ');
  const either = schema.oneOf ?? schema.anyOf;
  if (either) return either.map(kind).join(' or ');
  if (schema.allOf) return schema.allOf.map(kind).filter(Boolean).join(', ');
  const types = [schema.type ?? (schema.properties ? 'object' : undefined)].flat().filter(Boolean);
  const words = types.map((type) => (type === 'array' ? `array of ${kind(schema.items) || 'anything'}` : type)).join(' or ');
  const bounds = [];
  if (schema.format && schema.format !== 'int64') bounds.push(schema.format);
  bounds.push(...range(schema.minLength, schema.maxLength, ' characters'), ...range(schema.minimum, schema.maximum, ''));
  bounds.push(...range(schema.minItems, schema.maxItems, ' items'));
  if (schema.pattern) bounds.push(code(schema.pattern));
  if (schema.default !== undefined) bounds.push(`default ${code(schema.default)}`);
  return bounds.length ? `${words} (${bounds.join(', ')})` : words;
}

/** A schema and all that it is put together of, as one object. */
function whole(given) {
  const schema = resolve(given) ?? {};
  return (schema.allOf ?? []).map(whole).reduce(
    (all, part) => ({ properties: { ...all.properties, ...part.properties }, required: [...all.required, ...part.required] }),
    { properties: schema.properties ?? {}, required: schema.required ?? [] },
  );
}

/** The rows of an object's fields, those of inner objects with their path. */
function rows(given, path = '') {
  const { properties, required } = whole(given);
  return Object.entries(properties).flatMap(([name, field]) => {
    const schema = resolve(field);
    const must = required.includes(name) ? '' : 'optional';
    const inner = schema.type === 'array' ? rows(schema.items, `${path}${name}[].`) : rows(schema, `${path}${name}.`);
    return [`| \`${path}${name}\` | ${cell(kind(field))} | ${must} | ${cell(schema.description)} |`, ...inner];
  });
}

function fields(schema) {
  const table = rows(schema);
  if (table.length) say('| field | type | | |', '| --- | --- | --- | --- |\n' + table.join('\n'));
  const described = resolve(schema)?.description;
  if (!table.length && described) say(described);
}

function examples(content) {
  const listed = Object.entries(content?.examples ?? {}).map(([name, example]) => [name, resolve(example).value]);
  if (content?.example !== undefined) listed.push(['', content.example]);
  for (const [name, value] of listed) {
    const words = name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    say(...(words ? [`Example, ${words}:`, ''] : []), '```json', json(value, 2), '```');
  }
}

function security(operation) {
  const doors = (operation.security ?? api.security ?? []).flatMap((door) => Object.keys(door));
  return doors.map((name) => {
    const scheme = api.components.securitySchemes[name];
    const how = scheme.type === 'http' ? '`Authorization: Bearer …`' : `\`${scheme.name}\``;
    return `${how} (${cell(scheme.description).replace(/\.$/, '')})`;
  });
}

const anchor = (text) => text.toLowerCase().replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-');
const METHODS = ['get', 'put', 'post', 'delete', 'patch'];
const operations = Object.entries(api.paths).flatMap(([path, item]) =>
  METHODS.filter((method) => item[method]).map((method) => ({
    ...item[method],
    parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])],
    title: `${method.toUpperCase()} ${path}`,
  })));

say('<!-- Made from openapi.yaml by .ci/docs.sh; change that. -->', `# ${api.info.title}: the HTTP API`);
say(paragraphs(api.info.description));
say('| route | | for |', '| --- | --- | --- |\n' + operations
  .map((operation) => `| [\`${operation.title}\`](#${anchor(operation.title)}) | ${cell(operation.summary)} | ${(operation.tags ?? []).join(', ')} |`).join('\n'));
say('| server | |', '| --- | --- |\n' + api.servers.map((server) => `| \`${server.url}\` | ${cell(server.description)} |`).join('\n'));

for (const operation of operations) {
  say(`## ${operation.title}`);
  say(`${operation.summary}.`);
  if (operation.description) say(paragraphs(operation.description));
  const doors = security(operation);
  say(doors.length ? `Needs the header ${doors.join(' or ')}.` : 'Open to everybody.');
  const parameters = operation.parameters.map(resolve);
  if (parameters.length) {
    say('| parameter | in | type | | |', '| --- | --- | --- | --- | --- |\n' + parameters
      .map((one) => `| \`${one.name}\` | ${one.in} | ${cell(kind(one.schema))} | ${one.required ? '' : 'optional'} | ${cell(one.description)} |`).join('\n'));
  }
  const body = resolve(operation.requestBody);
  if (body) {
    say('### Body');
    if (body.description) say(paragraphs(body.description));
    const content = body.content['application/json'];
    fields(content.schema);
    examples(content);
  }
  const answers = Object.entries(operation.responses).map(([status, answer]) => [status, resolve(answer)]);
  for (const [status, answer] of answers.filter(([status]) => status.startsWith('2'))) {
    say(`### ${status}`);
    say(paragraphs(answer.description));
    const content = answer.content?.['application/json'];
    if (content) {
      fields(content.schema);
      examples(content);
    }
  }
  const errors = answers.filter(([status]) => !status.startsWith('2'));
  if (errors.length) {
    say('### Errors');
    say('| status | code | |', '| --- | --- | --- |\n' + errors.map(([status, answer]) => {
      const schema = resolve(answer.content?.['application/json']?.schema);
      const codes = [schema, ...(schema?.allOf ?? [])].map((part) => part?.properties?.code).filter(Boolean).map(kind);
      return `| ${status} | ${codes.join(', ')} | ${cell(answer.description)} |`;
    }).join('\n'));
  }
}
process.stdout.write(`${out.join('\n').trim()}\n`);
