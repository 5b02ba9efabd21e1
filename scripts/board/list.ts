/** `npm run board -- list`. */
import { BoardFileError, listBoards, readBoard } from '../../device/board/board-file.ts';
import { commandOf } from '../arguments.ts';
import { table } from '../terminal.ts';

export const list = commandOf(
  { name: 'list', summary: 'Names the boards that there are.', operands: [], options: { json: { help: 'print JSON for programs' } } },
  async ({ options }) => {
    const boards = await Promise.all((await listBoards()).map(about));
    if (options.json) process.stdout.write(`${JSON.stringify(boards, undefined, 2)}\n`);
    else process.stdout.write(`${table(boards.map(({ board, title, chip }) => [board, title, chip]))}\n`);
    return boards.some(({ isWrong }) => isWrong) ? 1 : 0;
  },
);

interface About {
  readonly board: string;
  readonly title: string;
  readonly chip: string;
  readonly isWrong?: true;
}

async function about(board: string): Promise<About> {
  try {
    const { definition } = await readBoard(board);
    return { board, title: definition.title, chip: definition.gpio?.chip ?? 'no lines' };
  } catch (error) {
    if (!(error instanceof BoardFileError)) throw error;
    return { board, title: `wrong; see: npm run board -- check ${board}`, chip: '', isWrong: true };
  }
}
