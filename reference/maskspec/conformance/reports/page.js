// The page of one run.

showRun(data);
openNamedCell(location.hash.slice(1));
ready();
