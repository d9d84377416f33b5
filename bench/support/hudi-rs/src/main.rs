//! hudi-rs in a process of its own. It answers one JSON document per line, in the order they come:
//! timed writes of record batches that are held in memory, timed reads to Arrow, and the same reads
//! as Arrow stream files, so that their rows can be checked.

mod measure;

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use futures::StreamExt;
use hudi_core::table::{QueryType, ReadOptions, Table};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use measure::measure;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The table that every workload writes, and the options that its writes are made with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    name: String,
    record_key: String,
    ordering_field: String,
    /// Whether the table keeps a metadata table with hudi-rs's default partitions in it.
    has_metadata_table: bool,
    options: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WriteCall {
    path: String,
    definition: Definition,
    kind: WriteKind,
    /// Leaves the table open for the next write.
    keeps_open: bool,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WriteKind {
    BulkInsert,
    Upsert,
}

#[derive(Deserialize)]
struct BuildCall {
    path: String,
    definition: Definition,
    paths: Vec<String>,
}

#[derive(Deserialize)]
struct ReadCall {
    path: String,
    columns: Vec<String>,
    /// Reads what was committed after this instant instead of the snapshot.
    after: Option<String>,
    /// Lets each batch go when the next one comes.
    streams: bool,
}

#[derive(Deserialize)]
struct DumpCall {
    #[serde(flatten)]
    read: ReadCall,
    into: String,
}

#[derive(Deserialize)]
struct LoadCall {
    paths: Vec<String>,
}

#[derive(Deserialize)]
struct Request {
    id: u64,
    method: String,
    params: Value,
}

struct Program {
    runtime: Runtime,
    input: Vec<RecordBatch>,
    open_tables: HashMap<String, Table>,
}

impl Program {
    fn answer(&mut self, method: &str, params: Value) -> Outcome<Value> {
        match method {
            "load" => self.load(serde_json::from_value(params)?),
            "build" => self.build(serde_json::from_value(params)?),
            "write" => self.write(serde_json::from_value(params)?),
            "read" => self.read(&serde_json::from_value(params)?),
            "dump" => self.dump(&serde_json::from_value(params)?),
            "closeTables" => {
                self.open_tables.clear();
                Ok(Value::Null)
            }
            _ => Err(format!("no method {method}").into()),
        }
    }

    fn load(&mut self, call: LoadCall) -> Outcome<Value> {
        self.input.clear();
        for path in &call.paths {
            self.input.extend(read_batches(path)?);
        }
        Ok(json!({ "rowCount": count_rows(&self.input) }))
    }

    /// Creates a table from files, one commit for each, so that they need not fit into memory
    /// together; nothing is measured.
    fn build(&mut self, call: BuildCall) -> Outcome<Value> {
        self.runtime.block_on(async {
            create_table(&call.path, &call.definition).await?;
            let mut table = open_table(&call.path, &call.definition.options).await?;
            for path in &call.paths {
                table.append(read_batches(path)?).await?;
            }
            Ok(Value::Null)
        })
    }

    fn write(&mut self, call: WriteCall) -> Outcome<Value> {
        let WriteCall {
            path,
            definition,
            kind,
            keeps_open,
        } = call;
        if kind == WriteKind::BulkInsert {
            self.runtime.block_on(create_table(&path, &definition))?;
        }
        let opened = self.open_tables.remove(&path);
        let batches = self.input.clone();
        let (sample, written) = measure(|| {
            self.runtime.block_on(async {
                let mut table = match opened {
                    Some(table) => table,
                    None => open_table(&path, &definition.options).await?,
                };
                match kind {
                    WriteKind::BulkInsert => table.append(batches).await?,
                    WriteKind::Upsert => table.upsert(batches).await?,
                };
                Outcome::Ok(table)
            })
        });
        let table = written?;
        if keeps_open {
            self.open_tables.insert(path, table);
        }
        Ok(json!({ "sample": sample, "rowCount": count_rows(&self.input) }))
    }

    fn read(&self, call: &ReadCall) -> Outcome<Value> {
        let (sample, read) = measure(|| {
            let mut row_count = 0;
            self.runtime.block_on(scan(call, |batch| {
                row_count += batch.num_rows();
                Ok(())
            }))?;
            Outcome::Ok(row_count)
        });
        Ok(json!({ "sample": sample, "rowCount": read? }))
    }

    fn dump(&self, call: &DumpCall) -> Outcome<Value> {
        let mut batches = Vec::new();
        self.runtime.block_on(scan(&call.read, |batch| {
            batches.push(batch);
            Ok(())
        }))?;
        let first = batches.first().ok_or("the read gave no batch")?;
        let file = BufWriter::new(File::create(&call.into)?);
        let mut writer = StreamWriter::try_new(file, &first.schema())?;
        for batch in &batches {
            writer.write(batch)?;
        }
        writer.finish()?;
        Ok(Value::Null)
    }
}

async fn create_table(path: &str, definition: &Definition) -> Outcome<()> {
    Table::create(path)
        .with_table_name(&definition.name)
        .with_record_key_fields([&definition.record_key])
        .with_ordering_fields([&definition.ordering_field])
        .with_metadata_table_enabled(definition.has_metadata_table)
        .create()
        .await?;
    Ok(())
}

async fn open_table(path: &str, options: &HashMap<String, String>) -> Outcome<Table> {
    Ok(Table::new_with_options(path, options).await?)
}

/// Opens the table and hands over its batches: all once they are read, or one after the other.
async fn scan(call: &ReadCall, mut take: impl FnMut(RecordBatch) -> Outcome<()>) -> Outcome<()> {
    let table = Table::new(&call.path).await?;
    let mut options = ReadOptions::new().with_projection(&call.columns);
    if let Some(after) = &call.after {
        options = options
            .with_query_type(QueryType::Incremental)
            .with_start_timestamp(after);
    }
    if call.streams {
        let mut stream = table.read_stream(&options).await?;
        while let Some(batch) = stream.next().await {
            take(batch?)?;
        }
        return Ok(());
    }
    let batches = table.read(&options).await?;
    for batch in batches {
        take(batch)?;
    }
    Ok(())
}

fn read_batches(path: &str) -> Outcome<Vec<RecordBatch>> {
    let reader = StreamReader::try_new(BufReader::new(File::open(path)?), None)?;
    Ok(reader.collect::<Result<_, _>>()?)
}

fn count_rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// The error and its causes, outermost first.
fn describe_error(error: &dyn Error) -> Value {
    let mut causes = vec![json!({ "className": "HudiRsError", "message": error.to_string() })];
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(json!({ "className": "HudiRsError", "message": cause.to_string() }));
        source = cause.source();
    }
    json!({ "causes": causes, "details": format!("{error:?}") })
}

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut program = Program {
        runtime,
        input: Vec::new(),
        open_tables: HashMap::new(),
    };
    let mut answers = io::stdout();
    for line in io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let answer = match program.answer(&request.method, request.params) {
            Ok(result) => json!({ "id": request.id, "result": result }),
            Err(error) => json!({ "id": request.id, "error": describe_error(error.as_ref()) }),
        };
        writeln!(answers, "{answer}")?;
        answers.flush()?;
    }
    Ok(())
}
