"""Worker processes and who watches over them: started, replaced, and stopped by a supervisor."""
